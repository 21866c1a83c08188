"""Whether a PNG holds as many pixels as its header says.

Every checksum can be right although rows are missing: then the compressed data end early, and Pillow leaves the rest
black without a word. Where the data hold more rows than the header says, it leaves those out.
Source: PNG, third edition (W3C 2025), sections 7.2 (rows), 8.1 (Adam7 passes) and 10.2 (one zlib stream).
"""

import struct
import zlib

from edge_infer.errors import CorruptImage
from edge_infer.image_limits import check_not_too_large

__all__ = ["PixelCount"]

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = (  # (first column, first row, columns apart, rows apart) of each pass
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_PACKED = 64 * 1024  # bytes given to zlib at once
_UNPACKED = 2**20  # bytes taken from it at once; they are counted, not kept


class PixelCount:
    """Counts what the IDAT chunks unpack to.

    Args:
        header: Content of IHDR, as checked by ``edge_infer.formats.png``.
        name: For messages.

    Raises:
        InputOverLimit: More pixels than are accepted.
    """

    def __init__(self, header: bytes, name: str) -> None:
        width, height, depth, colour, _, _, interlace = struct.unpack(">II5B", header)
        check_not_too_large(width, height, name)
        self._name = name
        self._due = _bytes_due(
            width, height, depth * _CHANNELS[colour], is_interlaced=interlace == 1
        )
        self._found = 0
        self._unpacker = zlib.decompressobj()

    def add(self, body: memoryview) -> None:
        """Unpack the content of one IDAT chunk; bytes after the end of the zlib stream do not count.

        Raises:
            CorruptImage: It is not Deflate data, or holds more than the image needs.
        """
        for start in range(0, len(body), _PACKED):
            packed = bytes(body[start : start + _PACKED])
            while packed and not self._unpacker.eof:
                try:
                    self._found += len(self._unpacker.decompress(packed, _UNPACKED))
                except zlib.error as error:
                    raise self._damaged("wrong Deflate data") from error
                if self._found > self._due:
                    raise self._damaged("more pixels than the header says")
                packed = self._unpacker.unconsumed_tail

    def close(self) -> None:
        """Check the total.

        Raises:
            CorruptImage: Pixels are missing, or the end of the zlib stream.
        """
        if self._found < self._due or not self._unpacker.eof:
            raise self._damaged("pixels are missing")

    def _damaged(self, how: str) -> CorruptImage:
        return CorruptImage(
            f"{self._name}: image is damaged or cut short (PNG: {how})",
            hint="copy or export the file again",
        )


def _bytes_due(width: int, height: int, bits: int, *, is_interlaced: bool) -> int:
    """Return the unpacked size: each row of each pass begins with a byte for its filter and is filled up to bytes."""
    passes = _ADAM7 if is_interlaced else ((0, 0, 1, 1),)
    due = 0
    for left, top, across, down in passes:
        columns = len(range(left, width, across))
        rows = len(range(top, height, down))
        if columns:
            due += rows * (1 + (columns * bits + 7) // 8)
    return due
