"""From coded data to the differences of pixels, ITU-T T.81 annexes F.2.2 and H.

Huffman codes must be followed one by one. But for every bit it is worked out at once where a code that starts there
ends, so that a step is a look-up; all else is arithmetic on whole arrays.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_infer.dicom.lossless.markers import Codes, Scan, damaged

__all__ = ["differences_of"]

_BLOCK = 2**16  # bytes looked at together
_SPARE = 8
_RESTARTS = range(0xD0, 0xD8)
_WHOLE = 16  # the category that stands for 32768 and has no extra bits, H.1.2.2


def differences_of(scan: Scan, pixels: int, name: str) -> NDArray[np.int64]:
    """Return the difference of each pixel from what was predicted.

    Args:
        scan: Its codes and data.
        pixels: Expected.
        name: As shown, for messages.

    Raises:
        CorruptImage: There are not exactly so many, or something that is no code.
    """
    found: list[NDArray[np.int64]] = []
    left = pixels
    for part in _parts(scan.data):
        due = min(scan.interval, left) if scan.interval else left
        if due == 0:
            raise damaged(name)
        found += _part(part, scan.codes, due, name)
        left -= due
    if left:
        raise damaged(name)
    return np.concatenate(found)


def _parts(data: bytes) -> Iterator[bytes]:
    """Cut the data at restart markers, up to the first other marker, and undo the stuffing of FF."""
    start, at = 0, data.find(b"\xff")
    while 0 <= at < len(data) - 1:
        following = data[at + 1]
        if following not in (0x00, 0xFF):
            # Fill bytes may stand before a marker, B.1.1.2.
            yield data[start:at].rstrip(b"\xff").replace(b"\xff\x00", b"\xff")
            start = at + 2
            if following not in _RESTARTS:
                return
        at = data.find(b"\xff", at + (1 if following == 0xFF else 2))


def _part(part: bytes, codes: Codes, due: int, name: str) -> list[NDArray[np.int64]]:
    """Decode so many codes, which must fill the part but for the rest of its last byte."""
    extra = np.where(codes.categories == _WHOLE, 0, codes.categories)
    steps_of = np.where(codes.bits, codes.bits + extra, 0)
    found: list[NDArray[np.int64]] = []
    at, left = 0, due  # bit, codes
    for start in range(0, len(part), _BLOCK):
        size = min(_BLOCK, len(part) - start)
        padded = part[start : start + size + _SPARE].ljust(size + _SPARE, b"\xff")
        data = np.frombuffer(padded, np.uint8).astype(np.int64)
        three = (data[:-2] << 16) | (data[1:-1] << 8) | data[2:]
        begin = ((three[:size, None] >> np.arange(8, 0, -1)) & 0xFFFF).ravel()
        steps = steps_of[begin].tolist()  # by bit: to the next code
        at -= 8 * start
        places: list[int] = []
        while left and at < 8 * size:
            places.append(at)
            if not steps[at]:
                raise damaged(name)
            at += steps[at]
            left -= 1
        found.append(_values(np.array(places, dtype=np.int64), data, begin, codes))
        at += 8 * start
    if left or not 0 <= 8 * len(part) - at < 8:
        raise damaged(name)
    return found


def _values(
    places: NDArray[np.int64], data: NDArray[np.int64], begin: NDArray[np.int64], codes: Codes
) -> NDArray[np.int64]:
    """Return the differences whose codes begin at these bits, F.1.2.1 and H.1.2.2."""
    bits = codes.bits[begin[places]].astype(np.int64)
    categories = codes.categories[begin[places]].astype(np.int64)
    first = places >> 3
    five = np.zeros_like(places)  # bytes: 7 bits before the code, 16 of it, 16 behind it
    for byte in range(5):
        five = (five << 8) | data[first + byte]
    extra = (five >> (40 - (places & 7) - bits - categories)) & ((1 << categories) - 1)
    is_negative = extra < (1 << np.maximum(categories - 1, 0))
    values = np.where(is_negative, extra - (1 << categories) + 1, extra)
    return np.where(categories == 0, 0, np.where(categories == _WHOLE, 2**15, values))
