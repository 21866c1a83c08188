"""Whether anybody opened a file: Linux tells, whatever language the opener is written in."""

import ctypes
import os
from pathlib import Path

__all__ = ["WatchedFile"]

_IN_ACCESS, _IN_OPEN = 0x1, 0x20


class WatchedFile:
    """A file that nobody may open or read (inotify).

    Raises:
        OSError: The system does not watch files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        name = os.fsencode(path)
        if library.inotify_add_watch(self._descriptor, name, _IN_ACCESS | _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "files cannot be watched here")

    def was_opened(self) -> bool:
        """Tell whether it was opened or read since this was asked last."""
        try:
            return bool(os.read(self._descriptor, 65536))
        except BlockingIOError:
            return False
