"""All files below a folder, including linked folders; each folder is read once, even if links are circular."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import UnreadableInput
from edge_infer.names import shown_name

__all__ = ["Walk", "is_folder", "is_litter"]

#: What file managers, network drives and programs leave behind, in lower case; so is what begins with a full stop.
_LITTER = frozenset(
    {
        "#recycle",
        "$recycle.bin",
        "@eadir",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "lost+found",
        "node_modules",
        "system volume information",
        "thumbs.db",
    }
)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A walk through folders that reads no folder twice, even over several calls.

    Attributes:
        is_skipped: Whether to silently skip a file or folder of this name.
        repeated: Links that were left out because their folders had been read already.
    """

    is_skipped: Callable[[str], bool]
    repeated: list[Path] = field(default_factory=list)
    _read: set[str] = field(default_factory=set, repr=False)

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield everything but folders, sorted by name, the files of a folder before its subfolders.

        Broken links and special files are included.

        Raises:
            UnreadableInput: A folder may not be read.
        """
        waiting = [folder]
        while waiting:
            parent = waiting.pop()
            real = os.path.realpath(parent)
            if real in self._read:
                self.repeated.append(parent)
                continue
            self._read.add(real)
            folders = []
            for name in _names(parent):
                if self.is_skipped(name):
                    continue
                if is_folder(parent / name):
                    folders.append(parent / name)
                else:
                    yield parent / name
            waiting.extend(reversed(folders))


def is_litter(name: str) -> bool:
    """Whether a name is that of a hidden file or folder, or of what programs leave behind: thumbnails, bins, caches."""
    return name.startswith(".") or name.lower() in _LITTER


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False if it cannot be accessed: reading it will report the error."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # forbidden, too long, a null character in the name
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 -- only names are needed
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(folder)}: folder cannot be read ({error.strerror})",
            hint="check the permissions",
        ) from error
