"""Keep permissions when replacing: the new file or folder is readable for the same people as the old one."""

import contextlib
import os
import stat
from pathlib import Path

__all__ = ["keep_file_mode", "keep_folder_modes"]


def keep_file_mode(descriptor: int, former: os.stat_result) -> None:
    """Give an open file owner, group and mode of the one it will replace, before anything is written to it."""
    if not hasattr(os, "fchown"):
        return  # Windows: permissions are inherited from the folder
    _keep(descriptor, former, bits=0o777)


def keep_folder_modes(temporary: Path, former: Path) -> None:
    """Give a folder owner, group and mode of the former one, and each file in it those of the same name there."""
    if not hasattr(os, "fchown"):
        return
    for path in temporary.iterdir():
        with contextlib.suppress(FileNotFoundError):
            status = (former / path.name).lstat()
            if path.is_file() and stat.S_ISREG(status.st_mode):  # a link's own mode has no meaning
                _keep_path(path, status, bits=0o777)
    _keep_path(temporary, former.stat(), bits=0o7777)  # includes the setgid bit


def _keep_path(path: Path, former: os.stat_result, *, bits: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _keep(descriptor, former, bits=bits)
    finally:
        os.close(descriptor)


def _keep(descriptor: int, former: os.stat_result, *, bits: int) -> None:
    mode = stat.S_IMODE(former.st_mode) & bits
    with contextlib.suppress(OSError):  # only the superuser may change the owner
        os.fchown(descriptor, former.st_uid, -1)
    try:
        os.fchown(descriptor, -1, former.st_gid)
    except OSError:  # another group: it gets no more than everybody
        mode = mode & ~0o070 | (mode & 0o007) << 3
    with contextlib.suppress(OSError):  # file systems without modes
        os.fchmod(descriptor, mode)
