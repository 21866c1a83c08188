"""The one preprocessing: training, calibration, evaluation and inference all call this file.

An image becomes grey, is resized to a fixed size with Pillow's antialiased filter, scaled to 0..1 and repeated
over three channels. That is what transformers' ``ViTImageProcessor`` does with the same
``preprocessor_config.json``, so the checkpoint and the bundle load there too. Intensity is standardised inside
the graph, so ``image_mean`` is 0 and ``image_std`` is 1 unless pretrained weights ask for others.
Why the image is stretched rather than padded: docs/decisions/0002-one-preprocessing.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import BundleIncompatible
from edge_infer.plain_json import is_number, is_whole, shown_value, why

__all__ = ["PreprocessorConfig", "preprocess", "resize_grey", "to_pixel_values"]

# Wide enough for any scale, and narrow enough that all results stay finite in float32.
_LEAST, _MOST = 1e-9, 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessorConfig:
    """The fields of a Hugging Face ``preprocessor_config.json`` that are used here.

    Attributes:
        height: Rows of ``pixel_values``.
        width: Columns of ``pixel_values``.
        resample: Pillow's filter number: 2 bilinear, 3 bicubic.
        rescale_factor: Factor for grey values of 0..255.
        image_mean: Per channel, subtracted after rescaling.
        image_std: Per channel, divided by after that.
    """

    height: int
    width: int
    resample: int = int(Image.Resampling.BILINEAR)
    rescale_factor: float = 1 / 255
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not (16 <= self.height <= 2048 and 16 <= self.width <= 2048):
            raise ValueError(f"size is {self.height} x {self.width}, expected 16..2048")
        if self.resample not in (0, 1, 2, 3, 4, 5):
            raise ValueError(f"resample is {self.resample}, expected one of Pillow's filters 0..5")
        if not all(_LEAST <= value <= _MOST for value in (self.rescale_factor, *self.image_std)):
            raise ValueError(
                f"rescale_factor is {self.rescale_factor} and image_std {self.image_std}, "
                f"expected {_LEAST:g}..{_MOST:g}"
            )
        if not all(-_MOST <= value <= _MOST for value in self.image_mean):
            raise ValueError(f"image_mean is {self.image_mean}, expected {-_MOST:g}..{_MOST:g}")

    def to_json(self) -> str:
        """Render as ``preprocessor_config.json``, loadable by transformers' ``ViTImageProcessor``."""
        fields = {
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": list(self.image_mean),
            "image_processor_type": "ViTImageProcessor",
            "image_std": list(self.image_std),
            "resample": self.resample,
            "rescale_factor": self.rescale_factor,
            "size": {"height": self.height, "width": self.width},
        }
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "PreprocessorConfig":
        """Read the parsed ``preprocessor_config.json``.

        Raises:
            BundleIncompatible: A field is missing or asks for a step this package does not do.
        """
        for step in ("do_resize", "do_rescale", "do_normalize"):
            if fields.get(step) is not True:
                raise BundleIncompatible(
                    f"preprocessor_config.json: {step} is {fields.get(step)!r}, expected true"
                )
        if fields.get("do_center_crop"):
            raise BundleIncompatible(
                "preprocessor_config.json: do_center_crop is not supported (it cuts the rim of the head)"
            )
        try:
            return cls(
                height=_whole(fields["size"]["height"]),
                width=_whole(fields["size"]["width"]),
                resample=_whole(fields["resample"]),
                rescale_factor=_number(fields["rescale_factor"]),
                image_mean=_three(fields["image_mean"]),
                image_std=_three(fields["image_std"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BundleIncompatible(f"preprocessor_config.json: {why(error)}") from error


def _whole(value: Any) -> int:
    if not is_whole(value, 0, 10**6):
        raise ValueError(f"{shown_value(value)} is not a size or a filter number")
    return int(value)


def _number(value: Any) -> float:
    if not is_number(value, -_MOST, _MOST):
        raise ValueError(f"{shown_value(value)} is not a usable number")
    return float(value)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(_number, values)
    return red, green, blue


def resize_grey(image: Image.Image, config: PreprocessorConfig) -> NDArray[np.uint8]:
    """Resize a grey image to the model's size.

    Args:
        image: Mode ``L`` (see ``edge_infer.image_file.read_image``).
        config: Size and filter.

    Returns:
        uint8, (H, W). This is also what training caches on disk.
    """
    if image.mode != "L":
        raise ValueError(f"mode is {image.mode}, expected L: read images with read_image")
    resized = image.resize((config.width, config.height), Image.Resampling(config.resample))
    return np.asarray(resized, dtype=np.uint8)


def to_pixel_values(grey: NDArray[np.uint8], config: PreprocessorConfig) -> NDArray[np.float32]:
    """Scale and normalise resized grey images.

    Args:
        grey: uint8, (N, H, W), from ``resize_grey``.
        config: Rescale factor, mean and standard deviation.

    Returns:
        float32, (N, 3, H, W).
    """
    scaled = grey[:, None].astype(np.float32) * np.float32(config.rescale_factor)  # (N, 1, H, W)
    mean = np.asarray(config.image_mean, dtype=np.float32).reshape(1, 3, 1, 1)
    std = np.asarray(config.image_std, dtype=np.float32).reshape(1, 3, 1, 1)
    return (scaled - mean) / std  # broadcasts to (N, 3, H, W)


def preprocess(image: Image.Image, config: PreprocessorConfig) -> NDArray[np.float32]:
    """Turn one grey image into the graph's input.

    Args:
        image: Mode ``L``.
        config: From the bundle.

    Returns:
        float32, (1, 3, H, W).
    """
    return to_pixel_values(resize_grey(image, config)[None], config)
