"""The end of a file of the log: its last record, and what a killed writer left half-written behind it."""

import os
from dataclasses import dataclass
from pathlib import Path

from edge_infer.audit.chain import (
    FORMAT,
    HEADER_START,
    MAX_LINE_BYTES,
    VERSION,
    Link,
    record_of,
    sha256_of,
)
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name

__all__ = ["Tail", "read_tail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The end of a file.

    Attributes:
        size: Bytes of its whole lines.
        link: Of the last one; None if there is none.
        number: Of the file, as its header says; 0 if there is none.
        torn: What stands behind the last line end.
    """

    size: int
    link: Link | None
    number: int
    torn: bytes = b""

    @property
    def is_whole_record(self) -> bool:
        """Whether what stands behind the last line end is the next record, and lacks nothing but its line end."""
        try:
            record = record_of(self.torn)
        except ValueError:
            return False
        link = self.link
        return link is not None and record["seq"] == link.seq + 1 and record["prev"] == link.head


def read_tail(descriptor: int, path: Path) -> Tail:
    """Read the end of a file that may be empty.

    Args:
        descriptor: Open to read.
        path: For messages.

    Raises:
        CannotWrite: It is no file of an audit log, of a newer version, or damaged at its end.
        OSError: It cannot be read.
    """
    size = os.fstat(descriptor).st_size
    end = _read(descriptor, max(0, size - 2 * MAX_LINE_BYTES), size)
    cut = end.rfind(b"\n") + 1
    torn = end[cut:]
    if not cut:
        return _without_line(torn, size, path)
    start = end.rfind(b"\n", 0, cut - 1) + 1
    number = _number(_read(descriptor, 0, min(size, MAX_LINE_BYTES)), path)
    line = end[start:cut]
    try:
        record = record_of(line)
    except ValueError as error:
        raise CannotWrite(
            f"{shown_name(path)}: its last line {error}, so no record can follow it",
            hint="move the file away, keep it, and find out who changed it: brain-doctor audit",
        ) from None
    return Tail(
        size=size - len(torn),
        link=Link(seq=record["seq"], head=sha256_of(line)),
        number=number,
        torn=torn,
    )


def _without_line(content: bytes, size: int, path: Path) -> Tail:
    """Return the end of a file without a line end: empty, or with a header that was never finished."""
    start = content[: len(HEADER_START)]
    is_ours = HEADER_START.startswith(start) if len(content) < MAX_LINE_BYTES else False
    is_blank = (
        not content.strip(b"\0") and len(content) < MAX_LINE_BYTES
    )  # as a power cut leaves it
    if len(content) != size or not (is_ours or is_blank):
        raise _no_log(path)
    return Tail(size=0, link=None, number=0, torn=content)


def _number(start: bytes, path: Path) -> int:
    line = start[: start.find(b"\n") + 1]
    if not line.startswith(HEADER_START):
        raise _no_log(path)
    try:
        header = record_of(line)
    except ValueError:
        raise _no_log(path) from None
    number = header.get("file")
    if (
        header["format"] != FORMAT
        or header.get("version") != VERSION
        or not isinstance(number, int)
    ):
        raise CannotWrite(
            f"{shown_name(path)}: is an audit log of another version, expected {VERSION}",
            hint="name another file, or use the brain-edge that wrote it",
        )
    return number


def _read(descriptor: int, start: int, end: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    parts = []
    left = end - start
    while left:
        part = os.read(descriptor, left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _no_log(path: Path) -> CannotWrite:
    return CannotWrite(
        f"{shown_name(path)}: exists and is no audit log",
        hint="name another file: this one stays as it is",
    )
