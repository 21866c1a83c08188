"""One uint8 array with a row for each image, kept on disk, memory-mapped, checked when opened.

Shared by the caches of decoded images (``train.data.pixel_cache``) and of tumour masks (``train.data.tumour_masks``).
A cache is a folder named by a hash of what it was made from; it appears in one step, and a damaged one is rebuilt. Of
several processes that want it, one builds it and the others wait; if that one dies, another takes over.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import replace_folder_atomically
from edge_infer.errors import CannotWrite, OutputLocked
from train.data.samples import Sample

__all__ = ["CachedRows", "Columns", "cached_rows", "file_identity", "source_identity"]

logger = logging.getLogger(__name__)

_BETWEEN_LOOKS_S = 0.5

_FORMAT = 1
_PIXELS = "pixels.npy"
_INDEX = "index.json"

#: Facts beside the array, by name: a list with an entry for each row.
Columns: TypeAlias = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRows:
    """A finished cache.

    Attributes:
        folder: The cache's folder.
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
    """Open the cache at ``target``, or build it, or wait while another process builds it.

    Args:
        target: Its folder, named by a hash of what it is made from.
        shape: (N, H, W).
        columns: Names of the facts beside the array.
        fill: Fills the zeroed array and returns the columns; not called if the cache exists.

    Raises:
        CannotWrite: The cache cannot be written.
    """
    built = waits = False
    while (cache := _open(target, shape, columns)) is None:
        if built:
            raise CannotWrite(
                f"{target}: what was written cannot be read back", hint="check the disk"
            )
        try:
            _build(target, shape, fill)
            built = True
        except OutputLocked:
            if not waits:
                logger.warning("another process is reading the same images; waiting for its cache")
            waits = True
            time.sleep(_BETWEEN_LOOKS_S)
    return cache


def _build(
    target: Path, shape: tuple[int, int, int], fill: Callable[[NDArray[np.uint8]], Columns]
) -> None:
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


def _allocate(path: Path) -> None:
    """Allocate the space now: if the disk fills up while mapped pages are written, SIGBUS kills the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def source_identity(sample: Sample) -> bytes:
    """Identify the image of a row, by path, size and time of its file or by its bytes; raises OSError."""
    if isinstance(sample.source, bytes):
        return hashlib.sha256(sample.source).digest()
    return file_identity(sample.source)


def file_identity(path: Path) -> bytes:
    """Identify a file and its state, by path, size and time; raises OSError."""
    status = path.stat()
    # fsencode: folder names need not be UTF-8.
    return os.fsencode(path.resolve()) + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode()


def _open(folder: Path, shape: tuple[int, int, int], columns: tuple[str, ...]) -> CachedRows | None:
    """Open a finished cache; None if it is missing or damaged."""
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
