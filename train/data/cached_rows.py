"""One uint8 array with a row for each image, kept on disk, memory-mapped, checked when opened.

What both caches share: of decoded images (``train.data.pixel_cache``) and of tumour masks
(``train.data.tumour_masks``). A cache lies in a folder named by what it was made from; it appears in one step, and a
damaged one is made anew.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import replace_folder_atomically
from edge_infer.errors import CannotWrite
from train.data.samples import Sample

__all__ = ["CachedRows", "Columns", "cached_rows", "file_identity", "source_identity"]

_FORMAT = 1
_PIXELS = "pixels.npy"
_INDEX = "index.json"

#: Facts beside the array: a name, and an entry for each row.
Columns: TypeAlias = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRows:
    """A finished cache.

    Attributes:
        folder: Where it lies.
        pixels: uint8, (N, H, W), memory-mapped and read-only.
        columns: An entry for each row, by the names it was made with.
    """

    folder: Path
    pixels: NDArray[np.uint8] = field(repr=False)
    columns: Columns = field(repr=False)


def cached_rows(
    target: Path,
    shape: tuple[int, int, int],
    columns: tuple[str, ...],
    fill: Callable[[NDArray[np.uint8]], Columns],
) -> CachedRows:
    """Open the cache at ``target``, or make it.

    Args:
        target: Its folder, named by what it is made from.
        shape: (N, H, W).
        columns: Names of the facts beside the array.
        fill: Fills the zeroed array and gives the columns; not called when the cache is there.

    Raises:
        CannotWrite: The cache cannot be written.
        OutputLocked: Another process is making the same cache.
    """
    cache = _open(target, shape, columns)
    if cache is not None:
        return cache
    with replace_folder_atomically(target) as temporary:
        pixels = np.lib.format.open_memmap(
            temporary / _PIXELS, mode="w+", dtype=np.uint8, shape=shape
        )
        _allocate(temporary / _PIXELS)
        index: dict[str, Any] = dict(fill(pixels))
        pixels.flush()
        index |= {
            "format": _FORMAT,
            "pixels_sha256": hashlib.sha256(pixels.data).hexdigest(),
        }
        (temporary / _INDEX).write_text(json.dumps(index) + "\n", encoding="utf-8")
    cache = _open(target, shape, columns)
    if cache is None:
        raise CannotWrite(f"{target}: what was written does not read back", hint="check the disk")
    return cache


def _allocate(path: Path) -> None:
    """Take the space now: a disk that is full only when a mapped page is written ends the process by SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def source_identity(sample: Sample) -> bytes:
    """Say which image a row was made from: path, size and time of its file; raises OSError."""
    if isinstance(sample.source, bytes):
        return hashlib.sha256(sample.source).digest()
    return file_identity(sample.source)


def file_identity(path: Path) -> bytes:
    """Say which state of which file; raises OSError."""
    status = path.stat()
    # fsencode: folders may have names that are no UTF-8.
    return os.fsencode(path.resolve()) + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode()


def _open(folder: Path, shape: tuple[int, int, int], columns: tuple[str, ...]) -> CachedRows | None:
    """Open a finished cache; nothing if it is missing or damaged."""
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        pixels = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
        intact = (
            index["format"] == _FORMAT
            and pixels.shape == shape
            and pixels.dtype == np.uint8
            and all(len(index[name]) == shape[0] for name in columns)
            and index["pixels_sha256"] == hashlib.sha256(pixels.data).hexdigest()
        )
        if not intact:
            return None
        return CachedRows(
            folder=folder, pixels=pixels, columns={name: index[name] for name in columns}
        )
    except (OSError, EOFError, ValueError, TypeError, KeyError):
        return None
