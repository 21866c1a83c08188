"""Bytes of standard input as lines, and as the content that follows a line; each has a limit."""

import io
import os
import sys

__all__ = ["Input", "LineTooLong"]

_BOM = b"\xef\xbb\xbf"
_CHUNK = 2**16

#: Without this word, a line that cannot be read announces no content.
_ANNOUNCEMENT = b"length"


class LineTooLong(Exception):
    """A line over the limit; it has been read to its end.

    Attributes:
        announces_content: Whether content may follow: then nobody knows where the next line begins.
    """

    def __init__(self, *, announces_content: bool) -> None:
        super().__init__()
        self.announces_content = announces_content


class Input:
    """Reads one after the other; only one thread may.

    Args:
        descriptor: Stays open.
        max_line_bytes: Without the line end.
    """

    def __init__(self, descriptor: int, *, max_line_bytes: int) -> None:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(descriptor, os.O_BINARY)
        else:  # whoever shares it may have made it non-blocking
            os.set_blocking(descriptor, True)
        self._stream = io.BufferedReader(io.FileIO(descriptor, closefd=False), _CHUNK)
        self._max_line_bytes = max_line_bytes
        self._is_start = True

    def line(self) -> bytes | None:
        """Return the next line without its end; None at the end of the stream.

        Raises:
            LineTooLong: It was passed over.
        """
        line = self._stream.readline(self._max_line_bytes + 1)
        if not line:
            return None
        if len(line) > self._max_line_bytes and not line.endswith(b"\n"):
            raise LineTooLong(announces_content=self._pass_rest(line))
        if self._is_start:  # .NET writes a byte order mark before the first line
            self._is_start, line = False, line.removeprefix(_BOM)
        return line.rstrip(b"\r\n")

    def content(self, length: int) -> bytes:
        """Return so many bytes; fewer if the stream ends.

        Raises:
            MemoryError: There is no room for them, and none was read.
        """
        return self._stream.read(length)

    def pass_over(self, length: int) -> bool:
        """Read so many bytes and drop them; return False if the stream ends before."""
        while length:
            chunk = self._stream.read1(min(length, _CHUNK))
            if not chunk:
                return False
            length -= len(chunk)
        return True

    @staticmethod
    def may_announce(line: bytes) -> bool:
        """Whether a line that is no request may have been one with content."""
        return _ANNOUNCEMENT in line

    def _pass_rest(self, start: bytes) -> bool:
        """Read to the end of a line; return whether the line announces content."""
        announces = self.may_announce(start)
        overlap = len(_ANNOUNCEMENT) - 1
        while start and not start.endswith(b"\n"):
            tail = start[-overlap:]
            start = self._stream.readline(_CHUNK)
            announces = announces or self.may_announce(tail + start)
        return announces
