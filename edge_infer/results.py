"""Standard output for results: a record is written whole or not at all, and any file name can be written."""

import codecs
import contextlib
import io
import os
import select
import stat
import sys
from typing import Protocol

from edge_infer.errors import CannotWrite

__all__ = ["KEEP_NAMES", "Results", "WholeRecords", "mend_standard_streams", "silence"]

#: How names are written in an encoding that lacks their letters: bytes that were not UTF-8 are written as they were
#: read, and letters that it lacks as escapes such as ``\u010d``. Each of Python's own handlers does one of the two.
KEEP_NAMES = "brain_edge_names"


class Results(Protocol):
    """What commands write their results to: ``WholeRecords``, or a stream in memory."""

    @property
    def encoding(self) -> str:
        """Name of the encoding."""

    def write(self, text: str, /) -> int:
        """Write one record, with its line end."""

    def flush(self) -> None:
        """Write what is buffered."""


class WholeRecords:
    """Writes text to a file descriptor without a buffer; of a record that does not fit on the disk nothing is left.

    Args:
        descriptor: Stays open.
        encoding: Of the text.
        errors: How characters that the encoding lacks are written: a handler of Python, or ``KEEP_NAMES``.
    """

    def __init__(self, descriptor: int, *, encoding: str, errors: str) -> None:
        self.encoding = encoding
        # One encoder for all records: UTF-16 has one byte order mark, at the very start.
        self._encoder = codecs.getincrementalencoder(encoding)(errors)
        # Not os.write: on Windows, only Python's own class writes Unicode to a terminal.
        self._raw = open(descriptor, "wb", buffering=0, closefd=False)  # noqa: SIM115 -- is kept

    def write(self, text: str, /) -> int:
        """Write one record.

        Raises:
            CannotWrite: There is no space left, or output is closed.
            BrokenPipeError: The reader went away.
        """
        rest = memoryview(self._encoder.encode(text))
        written = 0
        try:
            while rest:
                count = self._raw.write(rest)
                if count is None:  # a pipe whose other owner made it non-blocking
                    select.select([], [self._raw], [])
                    continue
                written += count
                rest = rest[count:]
        except BrokenPipeError:
            raise
        except OSError as error:
            self._take_back(written)
            raise CannotWrite(
                f"standard output: results cannot be written ({error.strerror})",
                hint="make room, or write them elsewhere; the records written so far are whole",
            ) from error
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def _take_back(self, written: int) -> None:
        """Remove a half-written record from the end of a file, unless somebody has written after it."""
        with contextlib.suppress(OSError):
            status = os.fstat(self._raw.fileno())
            end = self._raw.seek(0, os.SEEK_CUR)
            if written and stat.S_ISREG(status.st_mode) and status.st_size == end:
                os.ftruncate(self._raw.fileno(), end - written)
                self._raw.seek(end - written)


def mend_standard_streams() -> None:
    """Make sure that stdin, stdout and stderr are there, however the command was started.

    A closed descriptor (``>&-``) is opened to the null device. Otherwise the next file that is opened would take its
    number, and printed text would land in that file. From then on any name can be printed.
    """
    for descriptor in range(3):
        _open_to_nowhere(descriptor)
    if sys.stdout is None:
        sys.stdout = _nowhere(1)
    if sys.stderr is None:
        sys.stderr = _nowhere(2)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=KEEP_NAMES)


def silence(stream: object) -> None:
    """Redirect a stream whose reader is gone, or which is full, to the null device.

    Python flushes the standard streams when it ends, and would report an error then.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]  # a stream without one is left alone
        os.close(nowhere)


def _open_to_nowhere(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)


def _nowhere(descriptor: int) -> io.TextIOWrapper:
    return open(descriptor, "w", encoding="utf-8", errors=KEEP_NAMES, closefd=False)


def _keep_names(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    is_wide = error.encoding.startswith(("utf-16", "utf-32"))  # a single byte is nothing there
    if "\udc80" <= character <= "\udcff" and not is_wide:
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return character.encode("ascii", "backslashreplace").decode("ascii"), error.start + 1


codecs.register_error(KEEP_NAMES, _keep_names)
