"""A file that one process at a time writes to, for as long as one append takes.

The lock is on the file itself and ends with its process. Whoever waited for it may find that the file was rotated
meanwhile: then the new one is opened.
"""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from edge_infer.errors import CannotWrite, OutputLocked
from edge_infer.names import shown_name

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["locked_file"]

_WITHIN_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.01

#: Windows keeps others from reading what is locked, so a byte is locked that no log ever reaches.
_FAR = 2**40


@contextlib.contextmanager
def locked_file(path: Path, *, within_s: float = _WITHIN_S) -> Iterator[int]:
    """Open a file to read and write, created if it is not there, and hold its lock.

    Args:
        path: Of a regular file.
        within_s: How long to wait for others.

    Yields:
        The descriptor.

    Raises:
        OutputLocked: Others held it all the time.
        CannotWrite: It is no regular file.
        OSError: It cannot be opened.
    """
    deadline = time.monotonic() + within_s
    while True:
        descriptor = os.open(
            path,
            os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0),
            0o640,
        )
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CannotWrite(
                    f"{shown_name(path)}: exists and is not a regular file",
                    hint="name another file",
                )
            _lock(descriptor, path, deadline)
            if _is_still_there(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, path: Path, deadline: float) -> None:
    pause = _FIRST_PAUSE_S
    while True:
        try:
            if sys.platform == "win32":
                os.lseek(descriptor, _FAR, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if time.monotonic() > deadline:
                raise OutputLocked(
                    f"{shown_name(path)}: another process holds the audit log",
                    hint="end it, or give each program a log of its own",
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _is_still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
