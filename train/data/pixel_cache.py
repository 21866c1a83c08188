"""Images decoded and resized once, memory-mapped, so that an epoch never waits for JPEG.

A cache is a folder named by the sha256 of what it was made from (paths, sizes and times of the
files, order, size and filter), so a changed image or size gives another cache, never a stale one.
It appears in one step and is checked when opened; a damaged one is rebuilt.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import DataRefused, InputError
from edge_infer.image_file import open_source
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.data.cached_rows import Columns, cached_rows, source_identity
from train.data.problems import refuse
from train.data.samples import Progress, Sample

__all__ = ["PixelCache", "cache_key"]

_FORMAT = 1
_COLUMNS = ("file_digests", "picture_digests")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCache:
    """All images of a data set at one size; row i belongs to sample i.

    Attributes:
        folder: The cache's folder.
        pixels: uint8, (N, H, W), memory-mapped and read-only.
        file_digests: sha256 of each encoded image, N of them.
        image_digests: sha256 of each image's grey values at full size, N of them.
    """

    folder: Path
    pixels: NDArray[np.uint8] = field(repr=False)
    file_digests: tuple[str, ...] = field(repr=False)
    image_digests: tuple[str, ...] = field(repr=False)

    @property
    def key(self) -> str:
        """Hash of what it was made from: the name of its folder."""
        return self.folder.name

    @classmethod
    def build(
        cls,
        samples: Sequence[Sample],
        config: PreprocessorConfig,
        folder: Path,
        progress: Progress | None = None,
    ) -> "PixelCache":
        """Open the cache of these samples below ``folder``, or build it, or wait while another process builds it.

        Args:
            samples: Images, in the order of the rows.
            config: Size and filter; its mean and standard deviation are not used.
            folder: Holds a folder for each cache; created if missing.
            progress: Called with (done, total) while images are decoded; not called if the
                cache exists.

        Raises:
            DataRefused: There are no samples, or images cannot be read; all are named.
            CannotWrite: The cache cannot be written.
        """
        if not samples:
            raise DataRefused("the data set holds no images")
        cache = cached_rows(
            folder / cache_key(samples, config),
            (len(samples), config.height, config.width),
            _COLUMNS,
            lambda pixels: _fill(pixels, samples, config, progress),
        )
        return cls(
            folder=cache.folder,
            pixels=cache.pixels,
            file_digests=tuple(cache.columns["file_digests"]),
            image_digests=tuple(cache.columns["picture_digests"]),
        )


def cache_key(samples: Sequence[Sample], config: PreprocessorConfig) -> str:
    """Return a hash of what a cache is made from: the images, their order, the size and the filter.

    Raises:
        DataRefused: Files are missing; all are named.
    """
    digest = hashlib.sha256(
        f"{_FORMAT} {config.height} {config.width} {config.resample}\n".encode()
    )
    missing: list[str] = []
    for sample in samples:
        try:
            digest.update(source_identity(sample))
        except OSError as error:
            missing.append(f"{sample.name}: {error.strerror}")
    refuse(missing, what="images cannot be read", hint="check the data set's folder")
    return digest.hexdigest()[:32]


def _fill(
    pixels: NDArray[np.uint8],
    samples: Sequence[Sample],
    config: PreprocessorConfig,
    progress: Progress | None,
) -> Columns:
    file_digests: list[str] = []
    image_digests: list[str] = []
    unreadable: list[str] = []
    for row, sample in enumerate(samples):
        try:
            opened = open_source(sample.source)
        except InputError as error:
            unreadable.append(f"{sample.name}: {error.code} ({error.message})")
            continue
        pixels[row] = resize_grey(opened.image, config)
        file_digests.append(opened.sha256)
        width, height = opened.image.size
        whole = hashlib.sha256(f"{width} {height}\n".encode() + opened.image.tobytes())
        image_digests.append(whole.hexdigest())
        if progress is not None:
            progress(row + 1, len(samples))
    refuse(unreadable, what="images cannot be read", hint="correct, rename or remove them")
    return {"file_digests": file_digests, "picture_digests": image_digests}
