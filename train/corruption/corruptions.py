"""Images made worse on purpose, each way in five severities: the project's one set.

The gate uses them to check that INT8 follows FP32 on such images too; the robustness table shows how much accuracy is
left. Kinds times five severities is ImageNet-C's idea (Hendrycks and Dietterich 2019, arXiv 1903.12261). Its strengths
are meant for photographs, and weather does not occur in a scanner: here are the ways in which MRI images from elsewhere
differ. The first severity is hardly visible, the fifth is the worst that a reader would still accept. Lengths are
shares of the side, so that 112 and 224 pixels are treated alike.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

__all__ = ["cells", "corrupt", "corruptions", "severities"]

_Grey = NDArray[np.float64]  # (H, W), range 0..1, which results may leave a little


@dataclass(frozen=True, slots=True)
class _Corruption:
    """How to make an image worse, and how much at severities 1, 2, ..."""

    apply: Callable[[_Grey, float, Generator], _Grey]
    strengths: tuple[float, ...]


def corruptions() -> tuple[str, ...]:
    """Name all kinds."""
    return tuple(_CORRUPTIONS)


def severities(kind: str) -> tuple[int, ...]:
    """Return the severities of a kind: 1..5, and 1 alone for a flip."""
    return tuple(range(1, len(_CORRUPTIONS[kind].strengths) + 1))


def cells() -> tuple[tuple[str, int], ...]:
    """Return all pairs of kind and severity."""
    return tuple((kind, severity) for kind in corruptions() for severity in severities(kind))


def corrupt(
    image: NDArray[np.uint8], kind: str, severity: int, seed: int | tuple[int, ...]
) -> NDArray[np.uint8]:
    """Make an image worse.

    Args:
        image: uint8, (H, W).
        kind: One of ``corruptions()``.
        severity: One of ``severities(kind)``.
        seed: Not negative. With kind and severity it fixes all randomness: include the image's number, such as
            ``(seed, index)``, or all images get the same noise.

    Returns:
        uint8, (H, W).

    Raises:
        ValueError: The kind or severity is unknown, or the array has another type or shape.
    """
    if kind not in _CORRUPTIONS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(corruptions())}")
    if severity not in severities(kind):
        raise ValueError(f"severity of {kind} is {severity}, expected one of {severities(kind)}")
    if image.dtype != np.uint8 or image.ndim != 2:
        raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 (H, W)")
    entropy = (seed,) if isinstance(seed, int) else seed
    generator = np.random.default_rng([*entropy, zlib.crc32(kind.encode()), severity])
    chosen = _CORRUPTIONS[kind]
    worse = chosen.apply(image / 255, chosen.strengths[severity - 1], generator)
    return np.asarray(np.rint(np.clip(worse, 0, 1) * 255), dtype=np.uint8)


def _gamma(grey: _Grey, exponent: float, _: Generator) -> _Grey:
    return np.asarray(grey**exponent)


def _contrast(grey: _Grey, factor: float, _: Generator) -> _Grey:
    mean = grey.mean()
    return np.asarray((grey - mean) * factor + mean)


def _gaussian_noise(grey: _Grey, sigma: float, generator: Generator) -> _Grey:
    return np.asarray(grey + sigma * generator.standard_normal(grey.shape))


def _rician_noise(grey: _Grey, sigma: float, generator: Generator) -> _Grey:
    """Add noise to both channels of the receiver, take the magnitude (Gudbjartsson and Patz 1995): air turns grey."""
    real, imaginary = sigma * generator.standard_normal((2, *grey.shape))
    return np.asarray(np.hypot(grey + real, imaginary))


def _blur(grey: _Grey, sigma: float, _: Generator) -> _Grey:
    radius = sigma * max(grey.shape)
    return _from_pillow(_to_pillow(grey).filter(ImageFilter.GaussianBlur(radius)))


def _jpeg(grey: _Grey, quality: float, _: Generator) -> _Grey:
    file = io.BytesIO()
    _to_pillow(grey).save(file, "JPEG", quality=int(quality))
    with Image.open(file) as reread:
        return _from_pillow(reread)


def _zoom_in(grey: _Grey, share: float, generator: Generator) -> _Grey:
    """Enlarge a part, this share of the sides and somewhat off the middle, to the whole image."""
    H, W = grey.shape
    top, left = _offsets(grey, share, generator)
    box = (left, top, left + share * W, top + share * H)
    return _from_pillow(_to_pillow(grey).resize((W, H), Image.Resampling.BILINEAR, box=box))


def _zoom_out(grey: _Grey, share: float, generator: Generator) -> _Grey:
    """Shrink the whole to this share of the sides, somewhat off the middle, in a black frame."""
    H, W = grey.shape
    small = _to_pillow(grey).resize((round(share * W), round(share * H)), Image.Resampling.BILINEAR)
    top, left = _offsets(grey, share, generator)
    framed = Image.new("L", (W, H))
    framed.paste(small, (round(left), round(top)))
    return _from_pillow(framed)


def _offsets(grey: _Grey, share: float, generator: Generator) -> list[float]:
    """Draw where a part begins: in the middle half of where it may."""
    return [(1 - share) * side * generator.uniform(0.25, 0.75) for side in grey.shape]


def _rotation(grey: _Grey, degrees: float, generator: Generator) -> _Grey:
    signed = degrees * generator.choice((-1, 1))
    return _from_pillow(_to_pillow(grey).rotate(signed, Image.Resampling.BILINEAR))


def _horizontal_flip(grey: _Grey, _: float, __: Generator) -> _Grey:
    return grey[:, ::-1]


def _bias_field(grey: _Grey, amplitude: float, generator: Generator) -> _Grey:
    """Multiply by a smooth field that runs from 1 - amplitude to 1 + amplitude across the image."""
    H, W = grey.shape
    coarse = Image.fromarray(generator.standard_normal((4, 4)).astype(np.float32))
    field = np.asarray(coarse.resize((W, H), Image.Resampling.BICUBIC), dtype=np.float64)
    field = 2 * (field - field.min()) / (field.max() - field.min()) - 1
    return np.asarray(grey * (1 + amplitude * field))


def _border(value: float) -> Callable[[_Grey, float, Generator], _Grey]:
    def frame(grey: _Grey, share: float, _: Generator) -> _Grey:
        H, W = grey.shape
        rows, columns = max(1, round(share * H)), max(1, round(share * W))
        framed = np.full_like(grey, value)
        framed[rows : H - rows, columns : W - columns] = grey[
            rows : H - rows, columns : W - columns
        ]
        return framed

    return frame


def _to_pillow(grey: _Grey) -> Image.Image:
    return Image.fromarray(np.asarray(np.rint(grey * 255), dtype=np.uint8))


def _from_pillow(image: Image.Image) -> _Grey:
    return np.asarray(image, dtype=np.float64) / 255


_CORRUPTIONS = {
    # Window and level differ from site to site and from exporter to exporter: exponents of the grey value.
    "gamma_dark": _Corruption(_gamma, (1.15, 1.3, 1.5, 1.75, 2.0)),
    "gamma_bright": _Corruption(_gamma, (0.85, 0.75, 0.65, 0.55, 0.45)),
    # Factors around the image's mean; ImageNet-C ends at 0.05, which no reader would accept.
    "contrast_low": _Corruption(_contrast, (0.85, 0.7, 0.55, 0.4, 0.25)),
    "contrast_high": _Corruption(_contrast, (1.15, 1.3, 1.5, 1.75, 2.0)),
    # Standard deviation, share of the grey range. ImageNet-C begins at 0.08, where a dark scan is lost already.
    "gaussian_noise": _Corruption(_gaussian_noise, (0.01, 0.02, 0.035, 0.055, 0.08)),
    "rician_noise": _Corruption(_rician_noise, (0.01, 0.02, 0.035, 0.055, 0.08)),
    # Sigma, share of the side: 0.7 to 3.1 of 224 pixels; ImageNet-C has 1 to 6, where a small lesion is gone.
    "blur": _Corruption(_blur, (0.003, 0.005, 0.0075, 0.0105, 0.014)),
    # Quality. ImageNet-C has 25 to 7; images in circulation are mostly 75 and above.
    "jpeg": _Corruption(_jpeg, (80, 50, 30, 18, 10)),
    # Field of view and cropping, share of the side that is left; most heads touch the rim at 0.8.
    "zoom_in": _Corruption(_zoom_in, (0.95, 0.9, 0.85, 0.8, 0.7)),
    "zoom_out": _Corruption(_zoom_out, (0.95, 0.9, 0.8, 0.7, 0.6)),
    # Degrees, either way: a head lies in the coil within about 15.
    "rotation": _Corruption(_rotation, (4, 8, 12, 18, 25)),
    "horizontal_flip": _Corruption(_horizontal_flip, (1,)),
    # Coils receive unevenly. BrainWeb simulates 20 % and 40 % non-uniformity: amplitudes 0.1 and 0.2 here.
    "bias_field": _Corruption(_bias_field, (0.1, 0.2, 0.3, 0.45, 0.6)),
    # Frames of viewers and screenshots: width, share of the side.
    "black_border": _Corruption(_border(0.0), (0.03, 0.05, 0.07, 0.09, 0.12)),
    "white_border": _Corruption(_border(1.0), (0.03, 0.05, 0.07, 0.09, 0.12)),
}
