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
    """Walks that read no folder twice, whatever leads to it, over several calls.

    Of each folder that was read a number is kept, of those on the way to the one that is being read the names of
    subfolders that wait.
    """

    def __init__(self) -> None:
        #: Hashes of their real paths: of 10^7 folders the paths would be gigabytes. That two of those have one hash, so
        #: that one of them would be left out and counted as repeated, has a chance of 3 in a million.
        self._read: set[int] = set()

    def folders(self, start: str) -> Iterator[Folder]:
        """Yield a folder and those below it, linked ones included, each before its subfolders and in order of name.

        Hidden files and what programs leave behind are passed by.

        Args:
            start: An absolute path.
        """
        waiting = [("", [start])]  # names by their folder, the next one last
        while waiting:
            parent, names = waiting[-1]
            if not names:
                waiting.pop()
                continue
            path = os.path.join(parent, names.pop())  # noqa: PTH118 -- 10^7 of them
            real = hash(os.path.realpath(path))
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
            waiting.append((path, folders[::-1]))


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
