"""Append to an audit log: from any thread, from several processes, whole or not at all, and on the disk on return.

Each append takes the lock of the file, looks where the chain ends, writes and flushes. What several threads want to
append at the same time is flushed together.
"""

import errno
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_infer.audit.chain import FORMAT, VERSION, Link, line_of, next_link, sha256_of
from edge_infer.audit.locking import locked_file
from edge_infer.audit.rotated import rotated_files, rotated_path
from edge_infer.audit.tail import Tail, read_tail
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name

__all__ = ["MAX_BYTES", "AuditFile"]

#: A file is rotated before it grows beyond this: some 70,000 records.
MAX_BYTES = 64 * 2**20

#: How long a file is tried to be moved that other programs have open, where that keeps it from being moved.
_MOVED_WITHIN_S, _PAUSE_S = 10.0, 0.01

Entry = Mapping[str, Any]

_flush = getattr(os, "fdatasync", os.fsync)


@dataclass(slots=True, eq=False)
class _Batch:
    """What one caller wants to append."""

    entries: Sequence[Entry]
    is_done: bool = False
    error: BaseException | None = None


class AuditFile:
    """A log of one or more files; nothing is held open between two appends.

    Args:
        path: Made if it is not there. A link is followed.
        program: What writes, for the headers.
        max_bytes: When to rotate.

    Raises:
        CannotWrite: It cannot be written, or is no audit log.
        OutputLocked: Another process holds it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, program: str, max_bytes: int = MAX_BYTES
    ) -> None:
        self._given = Path(path)
        self._path = Path(os.path.realpath(path))
        self._program, self._max_bytes = program, max_bytes
        self._known: tuple[tuple[int, int, int], Tail] | None = None
        self._waiting: list[_Batch] = []
        self._renew_locks()
        self.append([])  # so that a log that cannot be written is told at once

    def append(self, entries: Sequence[Entry]) -> None:
        """Append records, all or none; they are on the disk when this returns.

        Raises:
            CannotWrite: They are not.
            OutputLocked: Another process holds the log.
        """
        if self._pid != os.getpid():  # forked, perhaps while another thread held them
            self._renew_locks()
        batch = _Batch(entries)
        with self._queue:
            self._waiting.append(batch)
        with self._writing:
            if not batch.is_done:  # else another thread has written it with its own
                with self._queue:
                    taken, self._waiting = self._waiting, []
                self._write_all(taken)
        if batch.error is not None:
            raise batch.error
        if not batch.is_done:  # the thread that took it was interrupted
            raise self._cannot_write(InterruptedError(errno.EINTR, os.strerror(errno.EINTR)))

    def rotate(self) -> Path:
        """Give the file its number, and begin the next one; return where the old one is.

        Raises:
            CannotWrite: It cannot be renamed.
            OutputLocked: Another process holds the log.
        """
        with self._writing:
            try:
                moved = self._moved()
                self._write([])
            except OSError as error:
                raise self._cannot_write(error) from error
        return moved

    @property
    def _can_move(self) -> bool:
        return os.name != "nt"  # where an open file cannot be renamed

    @property
    def link(self) -> Link:
        """Where the chain ended after the last append of this process."""
        if self._known is None or self._known[1].link is None:
            raise ValueError("nothing was appended")
        return self._known[1].link

    def _renew_locks(self) -> None:
        self._pid = os.getpid()
        self._queue, self._writing = threading.Lock(), threading.Lock()
        self._waiting = []

    def _write_all(self, batches: Sequence[_Batch]) -> None:
        failure: BaseException | None = None
        try:
            self._write([entry for batch in batches for entry in batch.entries])
        except OSError as error:
            failure = self._cannot_write(error)
            failure.__cause__ = error
        except BaseException as error:  # raised again by each thread whose records were not written
            failure = error
        for batch in batches:
            batch.is_done, batch.error = True, failure

    def _write(self, entries: Sequence[Entry]) -> None:
        while True:
            with locked_file(self._path) as descriptor:
                tail = self._ready(descriptor)
                data, link = _lines(entries, tail.link)
                is_over = tail.size + len(data) > self._max_bytes
                if is_over and tail.size > self._header_bytes(descriptor) and self._can_move:
                    self._move_away(tail)
                    continue
                if data:
                    tail = replace(tail, size=_append(descriptor, tail.size, data), link=link)
                self._remember(descriptor, tail)
                return

    def _ready(self, descriptor: int) -> Tail:
        """Return the end of the file, begun or mended where that is needed."""
        place = _place(descriptor)
        if self._known is not None and self._known[0] == place:
            return self._known[1]
        tail = read_tail(descriptor, self._given)
        if tail.link is None:
            return self._begin(descriptor, tail)
        return self._mend(descriptor, tail) if tail.torn else tail

    def _begin(self, descriptor: int, tail: Tail) -> Tail:
        """Write the header; it goes on where the newest of the older files ends."""
        former = self._newest()
        number = 1 if former is None else former.number + 1
        header = {
            "format": FORMAT,
            "version": VERSION,
            "kind": "header",
            "file": number,
            "program": self._program,
        }
        data, link = _lines([header], None if former is None else former.link)
        size = _append(descriptor, 0, data, cut=bool(tail.torn))
        _flush_folder(self._path.parent)
        return Tail(size=size, link=link, number=number)

    def _newest(self) -> Tail | None:
        older = rotated_files(self._path)
        if not older:
            return None
        descriptor = os.open(older[-1], os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            tail = read_tail(descriptor, older[-1])
        finally:
            os.close(descriptor)
        if tail.link is None or tail.torn:
            raise CannotWrite(
                f"{shown_name(older[-1])}: does not end with a whole record, so no file can follow it",
                hint="keep all files of the log, and name another file",
            )
        return tail

    def _mend(self, descriptor: int, tail: Tail) -> Tail:
        """Deal with what a killed writer left, and record that: its answer was never given out.

        The record is written over what is cut off, so that no kill in between can leave a cut without its record.
        """
        torn, former = tail.torn, tail.link
        if tail.is_whole_record:
            link = next_link(former, torn + b"\n")
            data, link_after = _lines([{"kind": "mended", "dropped_bytes": 0}], link)
            size = _append(descriptor, tail.size + len(torn), b"\n" + data)
        else:
            fields = {
                "kind": "mended",
                "dropped_bytes": len(torn),
                "dropped_sha256": sha256_of(torn),
            }
            data, link_after = _lines([fields], former)
            size = _append(descriptor, tail.size, data, cut=True)
        return Tail(size=size, link=link_after, number=tail.number)

    def _moved(self) -> Path:
        """Give the file its number, under its lock where that can be, else just after it was closed."""
        deadline = time.monotonic() + _MOVED_WITHIN_S
        while True:
            with locked_file(self._path) as descriptor:
                tail = self._ready(descriptor)
                if self._can_move:
                    return self._move_away(tail)
            try:
                # What another process appends just now moves along. If it rotates just now, its file of this number
                # is there, which Windows does not overwrite.
                return self._move_away(tail)
            except PermissionError as error:
                if time.monotonic() > deadline:
                    raise CannotWrite(
                        f"{shown_name(self._given)}: cannot be rotated: Windows renames no file that a program has "
                        f"open, and for {_MOVED_WITHIN_S:g} s one had ({error.strerror})",
                        hint="end what reads or writes the log, then rotate it again; it is as it was",
                    ) from error
            time.sleep(_PAUSE_S)

    def _move_away(self, tail: Tail) -> Path:
        target = rotated_path(self._path, tail.number)
        if target.exists():
            raise CannotWrite(
                f"{shown_name(target)}: exists, so {shown_name(self._given.name)} cannot be rotated",
                hint="keep all files of the log, and name another file",
            )
        self._path.rename(target)
        _flush_folder(self._path.parent)
        self._known = None
        return target

    def _header_bytes(self, descriptor: int) -> int:
        """Return the size of the header: a file of nothing else is not rotated, however small the limit."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 4096).find(b"\n") + 1

    def _remember(self, descriptor: int, tail: Tail) -> None:
        # What another process appends, or anybody changes in size, is read again. A last line that was changed in
        # place is not: the next record then continues the line that we wrote, and the change shows.
        self._known = (_place(descriptor), tail)

    def _cannot_write(self, error: OSError) -> CannotWrite:
        return CannotWrite(
            f"{shown_name(self._given)}: the audit log cannot be written ({error.strerror or error})",
            hint="check that its folder exists, is writable and has space left; without a record no answer is given",
        )


def _lines(entries: Sequence[Entry], link: Link | None) -> tuple[bytes, Link | None]:
    lines = []
    for entry in entries:
        line = line_of(entry, link)
        link = next_link(link, line)
        lines.append(line)
    return b"".join(lines), link


def _append(descriptor: int, start: int, data: bytes, *, cut: bool = False) -> int:
    """Write at a place and flush; return where the file ends then.

    Args:
        descriptor: Open to write.
        start: Where whole lines end.
        data: Whole lines.
        cut: Whether something stands there, which is overwritten and cut off.

    Raises:
        OSError: Nothing was added.
    """
    end = start + len(data)
    try:
        os.lseek(descriptor, start, os.SEEK_SET)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if cut:
            os.ftruncate(descriptor, end)
        _flush(descriptor)
    except OSError:
        if not cut:  # else it is as torn as before, and will be mended later
            os.ftruncate(descriptor, start)
        raise
    return end


def _place(descriptor: int) -> tuple[int, int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
