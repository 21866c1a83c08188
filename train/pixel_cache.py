"""Pictures decoded and resized once, memory-mapped, so that an epoch never waits for JPEG.

A cache lies in a folder named by the sha256 of what it was made from (paths, sizes and times of the
files, order, size and filter), so a changed picture or size gives another cache, never a stale one.
It appears in one step and is checked when opened; a damaged one is built anew.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import replace_folder_atomically
from edge_infer.errors import CannotWrite, DataRefused, InputError
from edge_infer.image_file import open_source
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.problems import refuse
from train.samples import Progress, Sample

__all__ = ["PixelCache"]

_FORMAT = 1
_PIXELS = "pixels.npy"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCache:
    """All pictures of a data set at one size; row i belongs to sample i.

    Attributes:
        folder: Where it lies.
        pixels: uint8, (N, H, W), memory-mapped and read-only.
        file_digests: sha256 of each encoded picture, N of them.
        picture_digests: sha256 of each picture's grey values at full size, N of them.
    """

    folder: Path
    pixels: NDArray[np.uint8] = field(repr=False)
    file_digests: tuple[str, ...] = field(repr=False)
    picture_digests: tuple[str, ...] = field(repr=False)

    @property
    def key(self) -> str:
        """What it was made from: the name of its folder."""
        return self.folder.name

    @classmethod
    def build(
        cls,
        samples: Sequence[Sample],
        config: PreprocessorConfig,
        folder: Path,
        progress: Progress | None = None,
    ) -> "PixelCache":
        """Open the cache of these samples below ``folder``, or make it.

        Args:
            samples: Pictures, in the order the rows shall have.
            config: Size and filter; its mean and standard deviation do not matter here.
            folder: Holds one folder a cache; created if missing.
            progress: Called with (done, total) while pictures are decoded; not at all when the
                cache is there.

        Raises:
            DataRefused: There are no samples, or pictures cannot be read; all are named.
            CannotWrite: The cache cannot be written.
            OutputLocked: Another process is making the same cache.
        """
        if not samples:
            raise DataRefused("the data set holds no pictures")
        target = folder / cache_key(samples, config)
        shape = (len(samples), config.height, config.width)
        cache = cls._open(target, shape)
        if cache is not None:
            return cache
        with replace_folder_atomically(target) as temporary:
            _fill(temporary, samples, config, progress)
        cache = cls._open(target, shape)
        if cache is None:
            raise CannotWrite(
                f"{target}: what was written does not read back", hint="check the disk"
            )
        return cache

    @classmethod
    def _open(cls, folder: Path, shape: tuple[int, int, int]) -> "PixelCache | None":
        """Open a finished cache; nothing if it is missing or damaged."""
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            pixels = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
            intact = (
                index["format"] == _FORMAT
                and pixels.shape == shape
                and pixels.dtype == np.uint8
                and len(index["file_digests"]) == len(index["picture_digests"]) == shape[0]
                and index["pixels_sha256"] == hashlib.sha256(pixels.data).hexdigest()
            )
            if not intact:
                return None
            return cls(
                folder=folder,
                pixels=pixels,
                file_digests=tuple(index["file_digests"]),
                picture_digests=tuple(index["picture_digests"]),
            )
        except (OSError, EOFError, ValueError, TypeError, KeyError):
            return None


def cache_key(samples: Sequence[Sample], config: PreprocessorConfig) -> str:
    """Name what a cache is made from: every picture, their order, the size and the filter.

    Raises:
        DataRefused: Files are missing; all are named.
    """
    digest = hashlib.sha256(
        f"{_FORMAT} {config.height} {config.width} {config.resample}\n".encode()
    )
    missing: list[str] = []
    for sample in samples:
        try:
            digest.update(_identity(sample))
        except OSError as error:
            missing.append(f"{sample.name}: {error.strerror}")
    refuse(missing, what="pictures cannot be read", hint="check the data set's folder")
    return digest.hexdigest()[:32]


def _identity(sample: Sample) -> bytes:
    if isinstance(sample.source, bytes):
        return hashlib.sha256(sample.source).digest()
    status = sample.source.stat()
    return (
        f"{os.fspath(sample.source.resolve())}\0{status.st_size}\0{status.st_mtime_ns}\n".encode()
    )


def _fill(
    folder: Path, samples: Sequence[Sample], config: PreprocessorConfig, progress: Progress | None
) -> None:
    shape = (len(samples), config.height, config.width)
    pixels = np.lib.format.open_memmap(folder / _PIXELS, mode="w+", dtype=np.uint8, shape=shape)
    file_digests: list[str] = []
    picture_digests: list[str] = []
    unreadable: list[str] = []
    for row, sample in enumerate(samples):
        try:
            picture = open_source(sample.source)
        except InputError as error:
            unreadable.append(f"{sample.name}: {error.code} ({error.message})")
            continue
        pixels[row] = resize_grey(picture.image, config)
        file_digests.append(picture.sha256)
        width, height = picture.image.size
        whole = hashlib.sha256(f"{width} {height}\n".encode() + picture.image.tobytes())
        picture_digests.append(whole.hexdigest())
        if progress is not None:
            progress(row + 1, len(samples))
    refuse(unreadable, what="pictures cannot be read", hint="correct, rename or remove them")
    pixels.flush()
    index: dict[str, Any] = {
        "format": _FORMAT,
        "pixels_sha256": hashlib.sha256(pixels.data).hexdigest(),
        "file_digests": file_digests,
        "picture_digests": picture_digests,
    }
    (folder / _INDEX).write_text(json.dumps(index) + "\n", encoding="utf-8")
