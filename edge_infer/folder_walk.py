"""All files below a folder, those in linked folders too, each folder once, however links lead around in circles."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import UnreadableInput
from edge_infer.names import shown_name

__all__ = ["Walk", "is_folder"]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Walks through folders; one walk reads no folder twice, also if it is asked to.

    Attributes:
        is_skipped: Whether a file or folder of this name does not count, and is not said to be left out.
        repeated: Links to folders that had been read already, and were left out.
    """

    is_skipped: Callable[[str], bool]
    repeated: list[Path] = field(default_factory=list)
    _read: set[str] = field(default_factory=set, repr=False)

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield what is no folder: in the order of names, the files of a folder before its folders.

        Links to nothing are among them, and what is no regular file.

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


def is_folder(path: Path) -> bool:
    """Say whether it is a folder; what cannot be looked at is none, and is refused where it is read."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # forbidden, too long, a null character in the name
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 -- names are what is asked for
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(folder)}: folder cannot be read ({error.strerror})",
            hint="check the permissions",
        ) from error
