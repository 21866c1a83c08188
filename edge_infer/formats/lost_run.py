"""Lost sectors in BMP and uncompressed TIFF, which have no checksum: recognised by their shape.

Data lost by a disk or a transfer read as one value for 512 bytes or more. Scans have such runs too, in their
background; but a lost run begins or ends in the middle of a row, as a background does not, or it takes a large part of
the image and meets the head at its full width. The rule refuses none of 10,152 scans; docs/images.md says what it
finds and what it cannot find.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import CorruptImage

__all__ = ["check_lost_run"]

_MIN_RUN_BYTES = 480  # a sector, less the padding of a BMP's rows
_CONTRAST = 0.1  # of the largest value: pixels that differ more from the run are not background
#: Share of the width that a lost run cuts off the head: it ends in the row above, or begins in the row below.
_CUT = 0.15
_LARGE = 0.4  # share of the image of a large run
_EDGE = 0.25  # share of the width over which a large run meets the head
_ROWS = (1, 2, 8)  # distances at which the head is looked for: a frame or a line of text is thinner
#: Growth from the first distance to the others that a slanted edge has, such as that of a turned image.
_STEEPEST = (1.3, 2.0)

_COMPRESSION, _TILE_WIDTH, _BMP_HEIGHT = 259, 322, 22
_RAW = 1
_CORE_HEADER = 12  # size of an OS/2 BMP header, which does not state the direction


def check_lost_run(image: Image.Image, data: bytes, name: str) -> None:
    """Refuse an image without checksum and compression in which a run of one value cuts off the head.

    Args:
        image: As opened; decoded.
        data: Of the file.
        name: For messages.

    Raises:
        CorruptImage: There is such a run.
    """
    if not _is_raw(image):
        return
    values = _values(image)
    if image.format == "BMP" and _is_bottom_up(data):
        values = values[::-1]
    length = _lost_run(np.ascontiguousarray(values))
    if length:
        raise CorruptImage(
            f"{name}: image is damaged (a run of {length:,} pixels of one value, as after a loss of data)",
            hint="copy or export the file again; if the scan looks like this, save it as PNG, which has checksums",
        )


def _is_raw(image: Image.Image) -> bool:
    """Whether the file holds the pixels uncompressed, row by row."""
    if image.format == "BMP":
        return image.info.get("compression", 0) in (0, 3)
    tags = getattr(image, "tag_v2", {})
    return (
        image.format == "TIFF" and tags.get(_COMPRESSION, _RAW) == _RAW and _TILE_WIDTH not in tags
    )


def _is_bottom_up(data: bytes) -> bool:
    is_core = int.from_bytes(data[14:18], "little") == _CORE_HEADER
    height = int.from_bytes(data[_BMP_HEIGHT : _BMP_HEIGHT + 4], "little", signed=True)
    return is_core or height > 0


def _values(image: Image.Image) -> NDArray[Any]:
    is_plain = image.mode in {"L", "I", "F"} or image.mode.startswith("I;16")
    return np.asarray(image if is_plain else image.convert("L"))


def _lost_run(values: NDArray[Any]) -> int:
    """Return the length of a run that a scan would not have, or 0."""
    width = values.shape[1]
    pixels = values.ravel()
    step = _CONTRAST * float(pixels.max())
    for start, end in _runs(pixels, _MIN_RUN_BYTES // min(values.itemsize, 2)):
        if start // width == (end - 1) // width:
            continue  # within one row: a drawn line
        if _is_lost(pixels, start, end, width, step) or _is_lost(
            pixels[::-1], pixels.size - end, pixels.size - start, width, step
        ):
            return end - start
    return 0


def _runs(pixels: NDArray[Any], shortest: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of one value; it covers at least one block of half the shortest length."""
    size = shortest // 2
    blocks = pixels[: pixels.size // size * size].reshape(-1, size)
    lowest = blocks.min(axis=1)
    flat = np.flatnonzero(lowest == blocks.max(axis=1))
    # Consecutive flat blocks of one value belong to one run.
    is_new = (np.diff(flat, prepend=-2) > 1) | (np.diff(lowest[flat], prepend=-1) != 0)
    firsts = np.flatnonzero(is_new)
    lasts = np.append(firsts, flat.size)[1:] - 1
    for first, last in zip(flat[firsts].tolist(), flat[lasts].tolist(), strict=True):
        begin, stop = first * size, (last + 1) * size
        value = pixels[begin]
        start = begin - _leading(pixels[max(0, begin - size) : begin][::-1] == value)
        end = stop + _leading(pixels[stop : stop + size] == value)
        if end - start >= shortest:
            yield start, end


def _leading(is_equal: NDArray[np.bool_]) -> int:
    """Return how many are true before the first false one."""
    return int(is_equal.size if is_equal.all() else is_equal.argmin())


def _is_lost(pixels: NDArray[Any], start: int, end: int, width: int, step: float) -> bool:
    """Whether a run begins as a background does not; for its end, call with reversed pixels."""
    if start < max(_ROWS) * width:
        return False
    row = min(width, end - start)
    rest = min(-start % width, row)  # pixels left in the row where it begins
    near, next_to_it, far = (_unlike(pixels, start, rows * width, rest, step) for rows in _ROWS)
    is_slanted = next_to_it > _STEEPEST[0] * near or far >= _STEEPEST[1] * near
    if min(near, far) >= _CUT * width and not is_slanted:
        return True
    near, _, far = (_unlike(pixels, start, rows * width, row, step) for rows in _ROWS)
    return end - start >= _LARGE * pixels.size and min(near, far) >= _EDGE * row


def _unlike(pixels: NDArray[Any], start: int, before: int, count: int, step: float) -> int:
    """Count pixels that differ from the run, among ``count`` of them ``before`` pixels before its first."""
    piece = pixels[start - before : start - before + count].astype(np.float64)
    return int((np.abs(piece - float(pixels[start])) > step).sum())
