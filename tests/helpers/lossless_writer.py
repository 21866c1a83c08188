"""Write JPEG Lossless pixel by pixel, as annex H of ITU-T T.81 reads: slow, plain, and unlike the decoder."""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["lossless_jpeg"]

_CATEGORIES = 17  # of 5 bits each, so that any difference can be written


def lossless_jpeg(
    pixels: NDArray[np.integer],
    *,
    predictor: int = 1,
    precision: int = 16,
    shift: int = 0,
    restart_lines: int = 0,
) -> bytes:
    """Return a stream of one component; ``shift`` leaves out the lowest bits, restarts come after so many lines."""
    rows, columns = pixels.shape
    values = pixels.astype(np.int64) >> shift
    lines = restart_lines or rows
    parts = [
        _coded(values[top : top + lines], predictor, 1 << (precision - shift - 1))
        for top in range(0, rows, lines)
    ]
    scan = parts[0]
    for number, part in enumerate(parts[1:]):
        scan += bytes([0xFF, 0xD0 + number % 8]) + part
    counts = bytes([0, 0, 0, 0, _CATEGORIES, *[0] * 11])
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xC4, b"\0" + counts + bytes(range(_CATEGORIES))),
            _segment(0xC3, struct.pack(">BHHB3B", precision, rows, columns, 1, 1, 0x11, 0)),
            _segment(0xDD, struct.pack(">H", restart_lines * columns)) if restart_lines else b"",
            _segment(0xDA, bytes([1, 1, 0, predictor, 0, shift])),
            scan,
            b"\xff\xd9",
        ]
    )


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _coded(values: NDArray[np.int64], predictor: int, first: int) -> bytes:
    lines: Sequence[Sequence[int]] = values.tolist()
    bits = []
    for row, line in enumerate(lines):
        for column, value in enumerate(line):
            predicted = _predicted(lines, row, column, predictor, first)
            difference = (value - predicted + 32767) % 65536 - 32767  # -32767..32768
            category = 16 if difference == 32768 else abs(difference).bit_length()
            bits.append(f"{category:05b}")
            if 0 < category < 16:
                low = difference if difference > 0 else difference + (1 << category) - 1
                bits.append(f"{low:0{category}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    data = int(text, 2).to_bytes(len(text) // 8, "big")
    return data.replace(b"\xff", b"\xff\0")


def _predicted(
    lines: Sequence[Sequence[int]], row: int, column: int, predictor: int, first: int
) -> int:
    if row == 0:
        return lines[0][column - 1] if column else first
    if column == 0:
        return lines[row - 1][0]
    a, b, c = lines[row][column - 1], lines[row - 1][column], lines[row - 1][column - 1]
    return (a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1)[predictor - 1]
