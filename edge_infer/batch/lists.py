"""A list of what is to be classified: a text file of one path or URL a line, or a column of a CSV file.

Relative paths are of the working folder, as on the command line. Nothing in a line has a meaning of its own: there are
no comments and no patterns, and only blank lines are passed by.
"""

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.names import shown_name

__all__ = ["COLUMNS", "listed"]

#: Names of the column of a CSV file that holds paths or URLs, ``source`` as in results of ``brain-infer --csv``.
COLUMNS = ("path", "source", "file", "url")

#: Longer than any path; a file without line ends is no list.
_MOST_CHARACTERS = 65_536


def listed(path: Path) -> Iterator[str]:
    """Yield the entries of a list, lazily and in order; one that stands there twice comes twice.

    Args:
        path: UTF-8, or UTF-16 with a byte order mark. What is not UTF-8 in a name stays as it is. By its ending,
            ``.csv`` is a table: with a header that names one of ``COLUMNS``, or of a single column without a header.

    Raises:
        UnreadableInput: It is missing, or may not be read.
        DataRefused: It is no list.
    """
    shown = shown_name(path)
    try:
        with path.open("rb") as start:
            is_utf16 = start.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        encoding, errors = ("utf-16", "strict") if is_utf16 else ("utf-8-sig", "surrogateescape")
        # newline="": otherwise a lone carriage return, which a name may hold, would end a line
        with path.open(encoding=encoding, errors=errors, newline="") as file:
            entries = _cells(file, shown) if path.suffix.lower() == ".csv" else _lines(file, shown)
            yield from entries
    except UnicodeError:
        raise _no_list(shown, "it is not text") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(
            f"{shown}: list cannot be read ({reason})", hint="check the name and the permissions"
        ) from error


def _lines(file: TextIO, shown: str) -> Iterator[str]:
    number = 0
    while line := file.readline(_MOST_CHARACTERS):
        number += 1
        if len(line) == _MOST_CHARACTERS and not line.endswith("\n"):
            raise _no_list(shown, f"line {number:,} is longer than any path")
        if "\0" in line:
            raise _no_list(shown, f"line {number:,} holds a null character")
        entry = line.removesuffix("\n").removesuffix("\r")
        if entry.strip():
            yield entry


def _cells(file: TextIO, shown: str) -> Iterator[str]:
    rows = csv.reader(_bounded(file, shown), strict=True)
    column: int | None = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if column is None:
                column, is_header = _column(row, shown)
                if is_header:
                    continue
            if column >= len(row):
                raise _no_list(shown, f"line {rows.line_num:,} has too few columns")
            if row[column].strip():
                yield row[column]
    except csv.Error as error:
        raise _no_list(shown, f"line {rows.line_num:,}: {error}") from None


def _column(row: list[str], shown: str) -> tuple[int, bool]:
    """Return which column holds the entries, and whether the row is a header."""
    names = [cell.strip().lower() for cell in row]
    found = [index for index, name in enumerate(names) if name in COLUMNS]
    if len(found) == 1:
        return found[0], True
    if len(row) == 1:
        return 0, False
    raise _no_list(
        shown,
        f"its first line names {'several' if found else 'none'} of the columns {', '.join(COLUMNS)}",
    )


def _bounded(file: TextIO, shown: str) -> Iterator[str]:
    while line := file.readline(_MOST_CHARACTERS):
        if len(line) == _MOST_CHARACTERS and not line.endswith("\n"):
            raise _no_list(shown, "a line is longer than any path")
        if "\0" in line:
            raise _no_list(shown, "a line holds a null character")
        yield line


def _no_list(shown: str, why: str) -> DataRefused:
    return DataRefused(
        f"{shown}: is no list that is read here ({why})",
        hint="give a text file of one path or URL a line, or a CSV file with a column 'path'",
    )
