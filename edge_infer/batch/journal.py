"""What a partition has reached, on the disk after each unit, so that a process may end at any moment.

One JSON object a line, in ``work/part-000000.jsonl``: first the run and when it was opened, then ``{"start": 7}``
before a unit is read and ``{"unit": 7, "rows": [...]}`` after it was answered. A later start adds when the one before
left it, and when it was opened again. Each line is one write without a buffer, so the end of a process loses nothing.
The end of a machine can: a torn line and all after it are dropped, and their units done again. A start without an
answer says which unit was being worked on when a process ended.

The partition's lock must be held.
"""

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

from edge_infer.batch.row import Row
from edge_infer.batch.throughput import Spell
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name

__all__ = ["Journal", "JournalSpoiled", "JournalWatch", "remove_journal"]

#: How a line begins that holds the answer to a unit.
_ANSWERED = b'{"unit"'
_BEGUN = b'{"start"'


class JournalSpoiled(Exception):
    """Another process has written into the journal or removed it: locks end at the machine here."""


class Journal:
    """An open journal.

    Args:
        path: Its file; created with its folder, and read if it is there.
        run_id: Of the run; a journal of another run is begun anew.

    Attributes:
        finished: Numbers of units that have rows.
        starts: How often each unit was started that has none.
        spells: When earlier starts worked on it; none for the one that has it open.
        error: Why it could not be written; None if it could.

    Raises:
        CannotWrite: It cannot be written.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self.finished: set[int] = set()
        self.starts: Counter[int] = Counter()
        self.spells: list[Spell] = []
        self._opened_at: float | None = None  # unknown of the first start of an older version
        self._finished_before = 0  # when it was opened then
        self.error: CannotWrite | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            left = os.fstat(
                self._descriptor
            ).st_mtime  # of the last line, before anything is written
            self._size = self._read(run_id)
            os.ftruncate(self._descriptor, self._size)
            now = time.time()
            if self._size:
                self._left(min(left, now))
                self._write({"left": min(left, now), "opened": now})
            else:
                self._write({"run": run_id, "opened": now})
        except OSError as error:
            os.close(self._descriptor)
            raise self._cannot_write(error) from error
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def start(self, number: int) -> None:
        """Record that a unit is about to be read.

        Raises:
            CannotWrite: There is no space left, or the folder is gone.
        """
        self._write({"start": number})
        self.starts[number] += 1

    def finish(self, number: int, rows: Sequence[Row]) -> None:
        """Record what a unit gave.

        Raises:
            CannotWrite: There is no space left, or the folder is gone.
        """
        self._write({"unit": number, "rows": rows})
        self.finished.add(number)
        del self.starts[number]

    def rows(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield the rows of all units, in order.

        Args:
            numbers: The units that must be there.

        Raises:
            JournalSpoiled: They are not what was written here.
        """
        expected = iter(numbers)
        with self._opened() as lines:
            for line in lines:
                if not line.startswith(_ANSWERED):
                    continue
                try:
                    fields = json.loads(line)
                except ValueError as error:
                    raise JournalSpoiled(self._path.name) from error
                if fields["unit"] != next(expected, None):
                    raise JournalSpoiled(self._path.name)
                yield from fields["rows"]
        if next(expected, None) is not None:
            raise JournalSpoiled(self._path.name)

    def _opened(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except FileNotFoundError as error:
            raise JournalSpoiled(self._path.name) from error

    def _read(self, run_id: str) -> int:
        """Take in what is there and return how many bytes of it are whole lines of this run."""
        whole = 0
        with open(self._descriptor, "rb", closefd=False) as lines:
            for line in lines:
                if not self._take(line, run_id, is_first=not whole):
                    break
                whole += len(line)
        return whole

    def _take(self, line: bytes, run_id: str, *, is_first: bool) -> bool:
        try:
            fields: Any = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:  # torn
            return False
        match fields:
            case {"run": str(named)}:
                self._opened_at = fields.get("opened")
                return is_first and named == run_id
            case {"left": float(left), "opened": float(opened)} if not is_first:
                self._left(left)
                self._opened_at, self._finished_before = opened, len(self.finished)
            case {"start": int(number)} if not is_first:
                self.starts[number] += 1
            case {"unit": int(number), "rows": list()} if not is_first:
                self.finished.add(number)
                del self.starts[number]
            case _:
                return False
        return True

    def _left(self, at: float) -> None:
        """Keep the spell of a start that ended."""
        if self._opened_at is None:
            return
        units = len(self.finished) - self._finished_before
        seconds = max(0.0, at - self._opened_at)
        self.spells.append(Spell(started=self._opened_at, seconds=seconds, units=units))

    def _write(self, fields: Mapping[str, Any]) -> None:
        line = memoryview(json.dumps(fields, allow_nan=False).encode() + b"\n")
        rest = line
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.error = self._cannot_write(error)
            raise self.error from error
        self._size += len(line)

    def _cannot_write(self, error: OSError) -> CannotWrite:
        return CannotWrite(
            f"{shown_name(self._path)}: cannot be written ({error.strerror or error})",
            hint="check that its folder is writable and has space left; the same command then goes on",
        )


def remove_journal(path: Path) -> None:
    """Remove a journal that nobody here has open: its partition is finished, or to be begun anew.

    Args:
        path: Of it; it need not be there.
    """
    try:
        path.unlink(missing_ok=True)
    except (
        PermissionError
    ):  # Windows, while a driver looks at it: an empty one is begun anew, and goes with the folder
        with contextlib.suppress(OSError):
            os.truncate(path, 0)


class JournalWatch:
    """Counts the answers in a journal that another process writes; reads only what was added since.

    Args:
        path: Of the journal; it need not be there.

    Attributes:
        answered: Units that have rows, as far as was read.
        begun: The unit that is being worked on; None if none is.
        moved_at: When something new was read last, by ``time.monotonic``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        self.answered = 0
        self.begun: int | None = None
        self.moved_at = time.monotonic()

    def look(self) -> int:
        """Read on and return ``answered``; nothing changes where there is no journal any more."""
        try:
            with self._path.open("rb") as lines:
                lines.seek(self._size)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    self._take(line)
        except OSError:
            pass
        return self.answered

    def _take(self, line: bytes) -> None:
        self._size += len(line)
        self.moved_at = time.monotonic()
        if line.startswith(_ANSWERED):
            self.answered += 1
            self.begun = None
        elif line.startswith(_BEGUN):
            self.begun = int(json.loads(line)["start"])
