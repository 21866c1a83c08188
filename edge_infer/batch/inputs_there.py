"""Whether this machine sees the inputs: a disk that is not mounted must not become a million rows of missing files."""

import os
from collections.abc import Iterable
from pathlib import Path

from edge_infer.batch.locations import is_url
from edge_infer.batch.row import Row
from edge_infer.errors import CannotWrite, UnreadableInput
from edge_infer.names import shown_name

__all__ = ["names_missing_file", "require_inputs", "require_outside"]


def require_inputs(inputs: Iterable[str], *, were_there: bool = True) -> None:
    """Check that what was given is there; folders hold something.

    What a list names may be missing, file by file, and URLs are not asked for.

    Args:
        inputs: As given, absolute.
        were_there: Whether they have been listed before, here or by another machine.

    Raises:
        UnreadableInput: One is not there. Nothing is answered then.
    """
    for given in inputs:
        if is_url(given):
            continue
        path = Path(given)
        try:
            is_there = _holds_something(path) if path.is_dir() else path.exists()
        except OSError:
            is_there = False
        if not is_there and not were_there:
            raise UnreadableInput(
                f"{shown_name(given)}: there is no such file or folder, or the folder is empty",
                hint="check the name, and whether its disk is mounted",
            )
        if not is_there:
            raise UnreadableInput(
                f"{shown_name(given)}: is not there any more, or not on all workers",
                hint="mount it under the same path on each machine; the same command then goes on",
            )


def require_outside(output: Path, inputs: Iterable[str]) -> None:
    """Check that the output lies in no folder that is to be listed.

    There the next run would list it, while its files may come and go, and an input that holds its output is never
    empty, so that a disk that goes away would not be noticed.

    Args:
        output: Folder of the results; it need not be there.
        inputs: As given, absolute.

    Raises:
        CannotWrite: It does.
    """
    resolved = output.resolve()
    for given in inputs:
        if not is_url(given) and resolved.is_relative_to(Path(given).resolve()):
            raise CannotWrite(
                f"{shown_name(output)}: the output lies within the input {shown_name(given)}",
                hint="name a folder beside the input with --output",
            )


def names_missing_file(rows: Iterable[Row]) -> bool:
    """Whether a file could not be read, which may be a disk that went away."""
    return any(row["code"] == UnreadableInput.code for row in rows)


def _holds_something(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is not None
