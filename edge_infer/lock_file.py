"""A lock that ends with its process: an advisory lock on a file, not just the existence of one."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edge_infer.errors import OutputLocked
from edge_infer.names import shown_name

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["locked"]


@contextlib.contextmanager
def locked(lock_path: Path, target: Path) -> Iterator[None]:
    """Hold the lock of an output while writing it.

    Args:
        lock_path: The lock file; created, and removed at the end.
        target: What is being written, for the message.

    Raises:
        OutputLocked: Another living process holds it.
        OSError: The lock file cannot be created.
    """
    while True:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, target)
            if _is_still_there(descriptor, lock_path):
                break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder removed the file after we opened it: try again
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(descriptor)
            with contextlib.suppress(OSError):
                lock_path.unlink()
        else:
            lock_path.unlink(missing_ok=True)
            os.close(descriptor)


def _lock(descriptor: int, target: Path) -> None:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise OutputLocked(
            f"{shown_name(target)}: another process is writing it",
            hint="wait until it is done, or name another output",
        ) from error


def _is_still_there(descriptor: int, lock_path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock_path.stat())
    except FileNotFoundError:
        return False
