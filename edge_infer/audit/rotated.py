"""The files of a log: ``FILE`` is written to, ``FILE.000001``, ``FILE.000002`` ... are older, the newest last."""

import os
import re
from pathlib import Path

__all__ = ["files_of", "rotated_files", "rotated_path"]

_DIGITS = 6


def rotated_path(path: Path, number: int) -> Path:
    """Return the name that the file of a log gets when it is rotated.

    Args:
        path: Of the file that is written to.
        number: As its header says.
    """
    return path.with_name(f"{path.name}.{number:0{_DIGITS}d}")


def rotated_files(path: Path) -> list[Path]:
    """Return the older files of a log, the oldest first."""
    numbered = re.compile(rf"{re.escape(path.name)}\.(\d{{{_DIGITS},18}})")
    found = {}
    for other in path.parent.glob("*"):
        match = numbered.fullmatch(other.name)
        if match:
            found[int(match[1])] = other
    return [found[number] for number in sorted(found)]


def files_of(path: Path) -> list[Path]:
    """Return all files of a log, the oldest first.

    Where the file is a link, they lie beside the file that it leads to, since that is the one that is written to.
    """
    is_link = os.path.islink(path)  # noqa: PTH114 -- Path.is_symlink raises in a folder that may not be entered
    real = Path(os.path.realpath(path)) if is_link else path
    return [*rotated_files(real), real]
