"""Masks of tumours, resized like the cached images: where evidence should be.

A manifest may state an image's mask in its column ``mask``. Those of BRISC 2025 (Fateh et al. 2025, arXiv 2506.14318)
are found without it, since they lie beside the images, under the same stem:

    classification_task/train/glioma/NAME.jpg
    segmentation_task/train/masks/NAME.png       two values, as large as the image

An image without a tumour has no mask file; its mask counts as unknown.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import DataRefused, InputError
from edge_infer.image_file import read_image
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.data.cached_rows import Columns, cached_rows, file_identity
from train.data.pixel_cache import cache_key
from train.data.problems import refuse
from train.data.samples import Progress, Sample
from train.data.verification import missing_masks

__all__ = ["MaskCache", "mask_file", "resize_mask"]

_FORMAT = 1
_IMAGES, _MASKS = "classification_task", "segmentation_task"
_INSIDE, _OUTSIDE = 255, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskCache:
    """The masks of a data set at one size; row i belongs to sample i, as in ``PixelCache``.

    Attributes:
        folder: The cache's folder.
        masks: uint8, (N, H, W), 255 inside a tumour and 0 elsewhere, memory-mapped and read-only.
        known: bool, (N,); False if the image has no mask file: its row is 0.
    """

    folder: Path
    masks: NDArray[np.uint8] = field(repr=False)
    known: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def build(
        cls,
        samples: Sequence[Sample],
        config: PreprocessorConfig,
        folder: Path,
        progress: Progress | None = None,
    ) -> "MaskCache":
        """Open the cache of these samples' masks below ``folder``, or build it.

        Args:
            samples: Images, in the order of the rows.
            config: Size of the rows.
            folder: Holds a folder for each cache; created if missing.
            progress: Called with (done, total) while masks are decoded; not called if the cache
                exists.

        Raises:
            DataRefused: There are no samples, or masks cannot be read, have more than two values or
                another size than their images; all are named.
            CannotWrite: The cache cannot be written.
        """
        if not samples:
            raise DataRefused("the data set holds no images")
        files = [mask_file(sample) for sample in samples]
        cache = cached_rows(
            folder / _key(samples, files, config),
            (len(samples), config.height, config.width),
            ("known",),
            lambda masks: _fill(masks, samples, files, config, progress),
        )
        known = np.array(cache.columns["known"], dtype=np.bool_)
        return cls(folder=cache.folder, masks=cache.pixels, known=known)


def mask_file(sample: Sample) -> Path | None:
    """Find the mask file of an image: the one that is stated, else the one at BRISC's place, else None."""
    if sample.mask is not None:
        return sample.mask
    if isinstance(sample.source, bytes):
        return None
    image = sample.source.resolve()
    if len(image.parents) < 4 or image.parents[2].name != _IMAGES:
        return None
    part = image.parents[3] / _MASKS / image.parents[1].name
    mask = part / "masks" / f"{image.stem}.png"
    return mask if mask.is_file() else None


def resize_mask(mask: Image.Image, config: PreprocessorConfig) -> NDArray[np.uint8]:
    """Resize a mask exactly as ``resize_grey`` resizes its image.

    Args:
        mask: Mode ``L``, 255 inside.
        config: Size; its filter is not used.

    Returns:
        uint8, (H, W), 255 where at least half of a pixel is inside, else 0. A tumour smaller than
        that keeps the pixels that hold most of it.
    """
    covered = resize_grey(mask, replace(config, resample=int(Image.Resampling.BOX)))
    least = min((_INSIDE + 1) // 2, max(1, int(covered.max())))
    return np.where(covered >= least, np.uint8(_INSIDE), np.uint8(_OUTSIDE))


def _key(
    samples: Sequence[Sample], files: Sequence[Path | None], config: PreprocessorConfig
) -> str:
    refuse(missing_masks(samples), what="masks cannot be read", hint="correct the manifest")
    digest = hashlib.sha256(f"masks {_FORMAT} {cache_key(samples, config)}\n".encode())
    for file in files:
        digest.update(b"\n" if file is None else file_identity(file))
    return digest.hexdigest()[:32]


def _fill(
    masks: NDArray[np.uint8],
    samples: Sequence[Sample],
    files: Sequence[Path | None],
    config: PreprocessorConfig,
    progress: Progress | None,
) -> Columns:
    problems: list[str] = []
    for row, (sample, file) in enumerate(zip(samples, files, strict=True)):
        if file is not None:
            try:
                masks[row] = resize_mask(_read(file, sample), config)
            except InputError as error:
                problems.append(f"{sample.name}: {error.message}")
        if progress is not None:
            progress(row + 1, len(samples))
    refuse(problems, what="masks cannot be used", hint="correct or remove them")
    return {"known": [file is not None for file in files]}


def _read(file: Path, sample: Sample) -> Image.Image:
    mask = read_image(file)
    values = set(np.unique(np.asarray(mask)).tolist())
    if values != {_OUTSIDE, _INSIDE}:
        raise DataRefused(
            f"mask {file.name} has {len(values)} grey values up to {max(values)}, expected 0 and 255"
        )
    image = read_image(sample.source)
    if mask.size != image.size:
        raise DataRefused(
            f"mask {file.name} is {mask.width} x {mask.height}, "
            f"but its image {image.width} x {image.height}"
        )
    return mask
