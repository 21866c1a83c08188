"""Check a log from its first line to its last: nothing changed, taken out, put in, or put in another order.

What was cut off at the end leaves no trace in the log itself: only a head that was kept elsewhere shows it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_infer.audit.chain import (
    FORMAT,
    MAX_LINE_BYTES,
    VERSION,
    Link,
    next_link,
    record_of,
)
from edge_infer.errors import BundleIncompatible, UnreadableInput
from edge_infer.names import shown_name

__all__ = ["Break", "Examined", "KeptHead", "examine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHead:
    """A head that was kept elsewhere.

    Attributes:
        sha256: Of the line that was the last one then.
        count: How many records the log had then; None if that was not kept.
    """

    sha256: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a log is not whole.

    Attributes:
        file: Its name.
        line: From 1; behind the last one if something is missing there.
        why: What is wrong, in words of ours.
    """

    file: Path
    line: int
    why: str


@dataclass(slots=True, kw_only=True)
class Examined:
    """What was found.

    Attributes:
        files: By name, how many records each has.
        link: Where the chain ends; None if there is no record.
        starts_after: Digest of the line before the first; None if the log is there from its beginning.
        first_seq: Number of the first record.
        first_time: When the first record was written.
        last_time: When the last one was.
        outcomes: How many records say what: decisions, findings and codes of errors.
        torn_bytes: Of a record that was not written to its end; it is mended when the next is written.
        broken: The first place where it is not whole; None if it is.
    """

    files: dict[Path, int] = field(default_factory=dict)
    link: Link | None = None
    starts_after: str | None = None
    first_seq: int = 0
    first_time: str = ""
    last_time: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    torn_bytes: int = 0
    broken: Break | None = None

    @property
    def records(self) -> int:
        """How many were read."""
        return sum(self.files.values())


def examine(files: Sequence[Path], heads: Sequence[KeptHead] = ()) -> Examined:
    """Check the files of a log, the oldest first.

    Args:
        files: Of one log; the oldest ones may have been moved away.
        heads: Each must be the digest of a line, and with its count that of this very record.

    Raises:
        UnreadableInput: One cannot be read.
        BundleIncompatible: A newer version has written it.
    """
    found = Examined()
    missing = {kept.sha256: kept for kept in heads}
    for place, file in enumerate(files):
        found.files[file] = 0
        for line in _lines(file):
            number = found.files[file] + 1
            why = _fault(found, line, number, is_last_file=place == len(files) - 1)
            if why is None and found.link is not None and found.link.head in missing:
                kept = missing.pop(found.link.head)
                why = _other_count(found.link, kept)
            if why is not None:
                found.broken = Break(file=file, line=number, why=why)
                return found
    if missing:
        last = files[-1]
        count = 0 if found.link is None else found.link.seq + 1
        why = _not_found(next(iter(missing.values())), count)
        found.broken = Break(file=last, line=found.files[last] + 1, why=why)
    return found


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            while line := stream.readline(MAX_LINE_BYTES + 1):
                yield line
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(file)}: cannot be read ({error.strerror})",
            hint="check the name and the permissions",
        ) from error


def _fault(found: Examined, line: bytes, number: int, *, is_last_file: bool) -> str | None:
    """Take a line into account; return what is wrong with it."""
    file = next(reversed(found.files))
    if not line.endswith(b"\n"):
        if not is_last_file or len(line) > MAX_LINE_BYTES:
            return "the line has no end"
        found.torn_bytes = len(line)
        return None
    try:
        record = record_of(line)
    except ValueError as error:
        return f"the line {error}"
    if (number == 1) != (record["kind"] == "header"):
        return "the file does not begin with a header" if number == 1 else "a header within a file"
    why = _fault_of_header(record, file) if number == 1 else None
    why = why or _out_of_chain(found, record)
    if why is not None:
        return why
    if not found.records:
        found.first_seq, found.starts_after = record["seq"], record["prev"]
        found.first_time = record["time"]
    found.link = Link(seq=record["seq"], head=next_link(None, line).head)
    found.files[file] = number
    found.last_time = record["time"]
    found.outcomes[_outcome(record)] += 1
    return None


def _fault_of_header(record: Mapping[str, Any], file: Path) -> str | None:
    version = record.get("version")
    if record.get("format") != FORMAT or type(version) is not int or version < VERSION:
        return "the header is none of an audit log"
    if version > VERSION:
        raise BundleIncompatible(
            f"{shown_name(file)}: is an audit log of version {version}, expected {VERSION}",
            hint="check it with the brain-edge that wrote it; if that is this one, the log was changed",
        )
    return None


def _out_of_chain(found: Examined, record: Mapping[str, Any]) -> str | None:
    seq, prev, link = record["seq"], record["prev"], found.link
    if link is None:
        if (seq == 0) != (prev is None):
            return "the first record says that others come before it, and that none do"
        return None
    if seq != link.seq + 1:
        if seq > link.seq + 1:
            return f"record {seq} follows record {link.seq}: what was between is missing"
        return f"record {seq} follows record {link.seq}: it is out of order, or was put in"
    if prev != link.head:
        return f"it does not continue record {link.seq}: one of the two was changed"
    return None


def _other_count(link: Link, kept: KeptHead) -> str | None:
    if kept.count is None or kept.count == link.seq + 1:
        return None
    return f"the head that was kept is that of {kept.count} records, and here of {link.seq + 1}"


def _not_found(kept: KeptHead, count: int) -> str:
    if kept.count is not None and kept.count > count:
        return f"{kept.count} records had been written, and {count} are left: the end was cut off"
    return "the head that was kept is not in the log: its end was cut off, or it was written anew"


def _outcome(record: Mapping[str, Any]) -> str:
    for name in ("error", "decision", "finding"):
        if isinstance(record.get(name), str):
            return f"{record['kind']} {record[name]}"
    return str(record["kind"])
