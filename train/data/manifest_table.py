"""A manifest as a table of trimmed cells, before anything is made of them."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.names import shown_name

__all__ = ["Table", "read_table"]

#: Number of each row's line, and its cells by column.
Table: TypeAlias = list[tuple[int, dict[str, str]]]


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    required: Sequence[str],
    hint: str,
    what: str = "the manifest",
) -> Table:
    """Read a CSV file with a header.

    Args:
        path: The file.
        columns: What is read of it; columns that it lacks are empty, others are ignored.
        required: Columns that it must have.
        hint: What to do if it lacks one.
        what: The table, in words, for messages.

    Returns:
        The number of each row's line, and its cells by column, without spaces around them.

    Raises:
        UnreadableInput: The file is missing, may not be read or is not UTF-8 text.
        DataRefused: A column is missing, or the file is not CSV.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UnreadableInput(
            f"{shown_name(path)}: cannot read {what} ({reason})",
            hint="check the name and the permissions",
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in required if column not in (reader.fieldnames or ())]
    if missing:
        raise DataRefused(
            f"{shown_name(path)}: found no column {', '.join(missing)}, expected {', '.join(required)}",
            hint=hint,
        )
    try:
        return [
            (reader.line_num, {column: (row.get(column) or "").strip() for column in columns})
            for row in reader
        ]
    except csv.Error as error:
        raise DataRefused(
            f"{shown_name(path)}: line {reader.line_num} is not CSV ({error})"
        ) from error
