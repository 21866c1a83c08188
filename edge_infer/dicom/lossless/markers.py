"""What the marker segments of a JPEG Lossless stream say, ITU-T T.81 annex B."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import CorruptImage, UnsupportedImage

__all__ = ["Codes", "Scan", "damaged", "scan_of"]

_SOF3, _DHT, _SOS, _DRI = 0xC3, 0xC4, 0xDA, 0xDD
_OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - {_SOF3, _DHT, 0xC8, 0xCC}
_PREDICTORS = range(1, 8)
_MOST_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A Huffman table, by the 16 bits that a code begins.

    Attributes:
        bits: Of the code, uint8, (65536,); 0 where no code begins so.
        categories: What the code stands for: the number of extra bits, uint8, (65536,).
    """

    bits: NDArray[np.uint8] = field(repr=False)
    categories: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The only scan of a stream.

    Attributes:
        precision: Bits of a pixel.
        predictor: 1 to 7.
        shift: Lowest bits that were left out.
        codes: Its Huffman table.
        interval: Pixels between restarts; 0 without.
        data: All that follows the segments.
    """

    precision: int
    predictor: int
    shift: int
    codes: Codes
    interval: int
    data: bytes = field(repr=False)


def damaged(name: str) -> CorruptImage:
    """Return the error of a damaged stream."""
    return CorruptImage(
        f"{name}: pixels are damaged or cut short (JPEG Lossless)",
        hint="copy or export the file again",
    )


def scan_of(stream: bytes, name: str) -> Scan:
    """Read the segments up to the coded data.

    Raises:
        CorruptImage: They are damaged.
        UnsupportedImage: Another kind of JPEG, or of several components.
    """
    tables: dict[int, Codes] = {}
    interval = precision = 0
    for marker, body, end in _segments(stream):
        if marker in _OTHER_FRAMES:
            raise UnsupportedImage(f"{name}: pixels are another kind of JPEG than JPEG Lossless")
        if marker == _SOF3 and len(body) > 5:
            precision = body[0]
            if body[5] != 1:
                raise UnsupportedImage(f"{name}: JPEG Lossless of colours is not read")
        elif marker == _DHT:
            tables |= _tables(body, name)
        elif marker == _DRI:
            interval = int.from_bytes(body[:2], "big")
        elif marker == _SOS:
            if len(body) != 6 or body[0] != 1:
                break
            codes, predictor, shift = tables.get(body[2] >> 4), body[3], body[5] & 15
            is_sound = predictor in _PREDICTORS and shift < precision <= _MOST_BITS
            if codes is None or not is_sound:
                break
            return Scan(
                precision=precision,
                predictor=predictor,
                shift=shift,
                codes=codes,
                interval=interval,
                data=stream[end:],
            )
    raise damaged(name)


def _segments(stream: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield the marker and the content of each segment after SOI, and where it ends."""
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        if stream[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        yield stream[at + 1], stream[at + 4 : end], end
        at = end


def _tables(body: bytes, name: str) -> dict[int, Codes]:
    """Return the tables of a DHT segment by number, annex C. No code is all ones, as annex C and libjpeg have it."""
    found = {}
    at = 0
    while at + 17 <= len(body):
        counts, number = body[at + 1 : at + 17], body[at] & 15
        values = iter(body[at + 17 : at + 17 + sum(counts)])
        at += 17 + sum(counts)
        if at > len(body):
            raise damaged(name)
        bits, categories = np.zeros(2**16, np.uint8), np.zeros(2**16, np.uint8)
        code = 0
        for length, count in enumerate(counts, start=1):
            for category in itertools.islice(values, count):
                first, last = code << (16 - length), (code + 1) << (16 - length)
                if category > _MOST_BITS or last >= 2**16:
                    raise damaged(name)
                bits[first:last], categories[first:last] = length, category
                code += 1
            code <<= 1
        found[number] = Codes(bits=bits, categories=categories)
    return found
