"""Exchange two paths in one step, if the operating system can (Linux, ``renameat2``)."""

import ctypes
import os
import sys
from pathlib import Path

__all__ = ["exchange_paths"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange_paths(first: Path, second: Path) -> bool:
    """Exchange two existing paths atomically.

    Returns:
        False, with nothing changed, if the system or the file system cannot do it.
    """
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:  # a C library older than 2018
        return False
    paths = os.fsencode(first), os.fsencode(second)
    return bool(renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)
