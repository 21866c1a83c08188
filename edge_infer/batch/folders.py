"""The names in folders, one folder at a time: what ``Walk`` finds, for archives of any size.

``edge_infer.folder_walk.Walk`` asks the file system about each file and ends at a folder that may not be read. Here
only links are asked about, and such a folder is told of, so that it fails alone.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_infer.folder_walk import is_litter

__all__ = ["Folder", "FolderWalk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder and the names in it.

    Attributes:
        path: As it was reached.
        files: Names of everything but folders, sorted; broken links and special files included.
        is_repeated: It is a link to a folder that was read before; then it has no files.
        is_unreadable: It may not be read, and has no files.
    """

    path: str
    files: list[str] = field(default_factory=list, repr=False)
    is_repeated: bool = False
    is_unreadable: bool = False


class FolderWalk:
    """Walks that read no folder twice, whatever leads to it, over several calls."""

    def __init__(self) -> None:
        self._read: set[str] = set()

    def folders(self, start: str) -> Iterator[Folder]:
        """Yield a folder and those below it, linked ones included, each before its subfolders and in order of name.

        Hidden files and what programs leave behind are passed by.

        Args:
            start: An absolute path.
        """
        waiting = [start]
        while waiting:
            path = waiting.pop()
            real = os.path.realpath(path)
            if real in self._read:
                yield Folder(path=path, is_repeated=True)
                continue
            self._read.add(real)
            try:
                files, folders = _names(path)
            except OSError:
                yield Folder(path=path, is_unreadable=True)
                continue
            yield Folder(path=path, files=files)
            waiting.extend(os.path.join(path, name) for name in reversed(folders))  # noqa: PTH118 -- 10^7 of them


def _names(path: str) -> tuple[list[str], list[str]]:
    """Return the sorted names of files and of folders.

    Raises:
        OSError: The folder may not be read, or its reading broke off.
    """
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if is_litter(entry.name):
                continue
            (folders if _is_folder(entry) else files).append(entry.name)
    files.sort()
    folders.sort()
    return files, folders


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where nobody may look
        return False
