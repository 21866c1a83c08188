"""Remove temporary files of killed writers, found by their names and recognised by their missing locks.

A half-written heatmap holds pixels of a patient, so it must not be left behind. A living writer holds an advisory lock
on its file, which ends with its process.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["create_temporary", "remove_stale", "was_written"]

_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.DOTALL)

#: Modification time of folders after our own last change: if it is the same, nobody has left anything there.
_changed_by_us: dict[tuple[int, int], int] = {}


def create_temporary(target: Path, mode: int) -> tuple[int, Path]:
    """Create a file beside the target, locked as long as its descriptor is open.

    Args:
        target: The file it will replace.
        mode: As for ``os.open``.

    Returns:
        Its descriptor, for writing, and its path.
    """
    while True:
        path = target.with_name(f".{_short(target.name)}.{secrets.token_hex(8)}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, mode)
        if sys.platform == "win32":
            return descriptor, path  # open files cannot be removed there
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return descriptor, path
        os.close(descriptor)  # another writer removed it before it was locked


def remove_stale(folder: Path) -> None:
    """Remove what killed writers left in a folder; skipped if the folder is unchanged since we last wrote."""
    status = folder.stat()
    if _changed_by_us.get((status.st_dev, status.st_ino)) == status.st_mtime_ns:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # listing may be forbidden
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_if_dead(Path(entry.path))


def was_written(folder: Path) -> None:
    """Record that the last change of a folder was ours."""
    status = folder.stat()
    _changed_by_us[status.st_dev, status.st_ino] = status.st_mtime_ns


def _short(name: str) -> str:
    """Leave room for the temporary name's additions: file systems allow 255 bytes."""
    whole = os.fsencode(name)
    return name if len(whole) <= 200 else hashlib.sha256(whole).hexdigest()


def _remove_if_dead(path: Path) -> None:
    if sys.platform == "win32":
        path.unlink()  # fails while its writer is alive
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(descriptor)
