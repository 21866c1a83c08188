"""The coded data of one scan of a JPEG as bits, without fill bytes and cut at the restart markers.

NumPy computes a window of bits for every position at once, some kilobytes ahead: reading one is then only an index,
while shifting in Python would cost more than everything else.
"""

import re
from array import array

import numpy as np

from edge_infer.formats.jpeg.huffman import WINDOW_BITS, BrokenJpegError, HuffmanCode

__all__ = ["JpegBits"]

_RESTART = re.compile(rb"\xff([\xd0-\xd7])", re.S)
_AHEAD = 32 * 1024  # bytes whose windows are computed at once, 16 times as many in memory
#: Bytes computed beyond ``limit``: the longest MCU, 640 symbols of 31 bits, takes 2,480.
_MARGIN = 2560


class JpegBits:
    """The bits of a scan; positions count bits from its start.

    Attributes:
        ends: Position after each restart interval.
        windows: The next ``WINDOW_BITS`` bits by position, counted from ``base``.
        base: Position of the first window.
        limit: Last position at which a block may begin before ``load`` is called again.
    """

    def __init__(self, coded: bytes) -> None:
        """Args: coded: From the scan header to the next marker that is not a restart marker."""
        pieces = _RESTART.split(coded)
        parts = [part.rstrip(b"\xff") for part in pieces[::2]]
        _check_restarts(b"".join(pieces[1::2]))
        if any(b"\xff\xff" in part for part in parts):
            raise BrokenJpegError("a fill byte within the data")
        if len(parts) > 1 and not parts[-1]:
            parts.pop()  # a restart marker after the last block, which is allowed
        plain = [part.replace(b"\xff\0", b"\xff") for part in parts]
        self.ends = np.cumsum([8 * len(part) for part in plain]).tolist()
        self._data = b"".join(plain)
        self.windows: array[int] = array("H")
        self.base = 0
        self.limit = -1

    def load(self, at: int) -> None:
        """Compute the windows from a position on.

        Raises:
            BrokenJpegError: The data end before it.
        """
        start = at >> 3
        ahead = min(_AHEAD, len(self._data) - start)
        if ahead < 0 or at > 8 * len(self._data):
            raise BrokenJpegError("data are missing")
        piece = self._data[start : start + ahead + _MARGIN + 2].ljust(ahead + _MARGIN + 2, b"\0")
        octets = np.frombuffer(piece, np.uint8).astype(np.int32)
        three = (octets[:-2] << 16) | (octets[1:-1] << 8) | octets[2:]
        shifts = np.arange(24 - WINDOW_BITS, 16 - WINDOW_BITS, -1, dtype=np.int32)
        # (bytes,) -> (bytes, 8): one window for each bit a code may begin at
        windows = (three[:, None] >> shifts) & ((1 << WINDOW_BITS) - 1)
        self.windows = array("H", windows.astype(np.uint16).tobytes())
        self.base = 8 * start
        self.limit = self.base + 8 * ahead

    def symbol(self, at: int, code: HuffmanCode) -> tuple[int, int]:
        """Read one code.

        Returns:
            Symbol, and the position after its code.

        Raises:
            BrokenJpegError: The bits are not a code, or the data end before it.
        """
        if not self.base <= at <= self.limit:
            self.load(at)
        short = code.short[self.windows[at - self.base]]
        if short:
            return short & 255, at + (short >> 8)
        symbol, length = code.long(self.number(at, 16))
        return symbol, at + length

    def number(self, at: int, count: int) -> int:
        """Read up to 16 bits as a number; bits after the end are 0."""
        three = self._data[at >> 3 : (at >> 3) + 3].ljust(3, b"\0")
        return int.from_bytes(three, "big") >> (24 - (at & 7) - count) & ((1 << count) - 1)


def _check_restarts(numbers: bytes) -> None:
    due = bytes(range(0xD0, 0xD8)) * (len(numbers) // 8 + 1)
    if not due.startswith(numbers):
        raise BrokenJpegError("restart markers out of order")
