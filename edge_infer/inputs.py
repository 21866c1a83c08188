"""Turn files and folders, as given on a command line, into the list of pictures to read."""

import os
from collections.abc import Iterable
from pathlib import Path

from edge_infer.errors import NoInputs, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.standard_input import StandardInput

__all__ = ["PICTURE_ENDINGS", "expand_inputs"]

PICTURE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")


def expand_inputs(inputs: Iterable[Path | StandardInput]) -> list[Path | StandardInput]:
    """List the pictures: files and standard input as given, folders by what is in them, sorted.

    Args:
        inputs: Files are taken whatever their ending; whether they exist shows when they are read.
            In folders, and the folders in them, only picture endings count and hidden files do not.

    Raises:
        NoInputs: A folder holds no picture, or nothing was given.
        UnreadableInput: A folder may not be read.
    """
    found: list[Path | StandardInput] = []
    for given in inputs:
        if isinstance(given, Path) and given.is_dir():
            found.extend(_pictures_in(given))
        else:
            found.append(given)
    if not found:
        raise NoInputs("nothing to classify was given", hint="name pictures or folders")
    return found


def _pictures_in(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(
            Path(parent) / name
            for name in sorted(files)
            if name.lower().endswith(PICTURE_ENDINGS) and not name.startswith(".")
        )
    if not found:
        raise NoInputs(
            f"{shown_name(folder)}: folder holds no picture",
            hint=f"pictures end in {', '.join(PICTURE_ENDINGS)}",
        )
    return found


def _raise(error: OSError) -> None:
    raise UnreadableInput(
        f"{shown_name(error.filename)}: folder cannot be read ({error.strerror})",
        hint="check the permissions",
    ) from error
