"""Rows as JSON lines: needs nothing but Python, and any program reads them.

Each line is a row with the schema version, the bundle's digest and the notice. What else all rows share lies beside, in
``_metadata.json``; readers of folders leave out names that begin with an underscore.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import numpy as np

from edge_infer.batch.columns import NAMES, fits
from edge_infer.batch.hashed_file import HashedFile
from edge_infer.batch.metadata import ROWS_SCHEMA_VERSION, Metadata
from edge_infer.batch.row import FIELDS, Row
from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object, why

__all__ = ["METADATA_FILE", "JsonLinesWriter", "json_lines_metadata", "read_json_lines"]

METADATA_FILE = "_metadata.json"

#: Nine digits are enough for any float32.
_SHORT = tuple(name for name, kind, _ in FIELDS if kind == "float32s")
_SHARED = ("schema_version", "manifest_sha256", "research_use_only")
_LONGEST_LINE = 2**26
_LONGEST_METADATA = 2**20


class JsonLinesWriter:
    """Writes rows to a file.

    Args:
        file: Stays open.
        metadata: Of the rows.
    """

    def __init__(self, file: HashedFile, metadata: Metadata) -> None:
        self._file = file
        fields = metadata.as_json()
        self._shared = {name: fields[name] for name in _SHARED}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: nothing is held back."""

    def add(self, row: Row) -> None:
        """Write a row of ``plain_row``."""
        short = {name: [float(f"{one:.9g}") for one in row[name]] for name in _SHORT if row[name]}
        fields = {**row, **short, **self._shared}
        text = json.dumps(fields, allow_nan=False, separators=(",", ":"))
        self._file.write(f"{text}\n".encode())


def json_lines_metadata(path: Path) -> Metadata:
    """Read what lies beside a file of JSON lines.

    Raises:
        UnreadableInput: There is nothing, or it cannot be read.
        DataRefused: It is something else, or of another schema version.
    """
    beside = path.with_name(METADATA_FILE)
    try:
        with beside.open("rb") as file:
            data = file.read(_LONGEST_METADATA)
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(beside)}: cannot be read ({error.strerror})",
            hint=f"{METADATA_FILE} belongs to the JSON lines in its folder: copy it with them",
        ) from error
    try:
        return Metadata.parsed(data)
    except ValueError as error:
        raise DataRefused(f"{shown_name(beside)}: {why(error)}", hint=_HINT) from error


def read_json_lines(
    path: Path, metadata: Metadata, columns: Collection[str] = NAMES
) -> Iterator[Row]:
    """Yield the rows of a file.

    Args:
        path: The file.
        metadata: Of ``json_lines_metadata``.
        columns: Names of those that are wanted.

    Raises:
        UnreadableInput: It cannot be read.
        DataRefused: A line is torn or no row, of another bundle or another schema version.
    """
    try:
        with closing(path.open("rb")) as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                row = _row(line, f"{shown_name(path)}: line {number}", metadata)
                yield {name: row[name] for name in columns}
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(path)}: cannot be read ({error.strerror})",
            hint="check the path and its permissions",
        ) from error


def _row(line: bytes, place: str, metadata: Metadata) -> Row:
    if not line.endswith(b"\n"):
        raise DataRefused(f"{place} is torn: it has no end", hint="copy the file again")
    try:
        fields = parse_object(line)
    except ValueError as error:
        raise DataRefused(f"{place} is no row: {why(error)}", hint="copy the file again") from error
    if fields.get("schema_version") != ROWS_SCHEMA_VERSION:
        version = fields.get("schema_version")
        raise DataRefused(
            f"{place} has schema version {version!r}, not {ROWS_SCHEMA_VERSION}", hint=_HINT
        )
    if fields.get("manifest_sha256") != metadata.manifest_sha256:
        raise DataRefused(f"{place} is of another bundle than {METADATA_FILE}", hint=_ONE_BUNDLE)
    odd = fields.keys() ^ {*NAMES, *_SHARED}
    if odd:
        raise DataRefused(f"{place} lacks or does not know {min(odd)}", hint=_HINT)
    row = {name: _widened(kind, fields[name]) for name, kind, _ in FIELDS}
    for name, kind, _ in FIELDS:
        if not fits(kind, row[name]):
            raise DataRefused(f"{place}: {name} is no {kind}", hint=_HINT)
    return row | {name: np.float32(row[name]).tolist() for name in _SHORT if row[name]}


def _widened(kind: str, value: Any) -> Any:
    """Other programs write 1.0 as 1."""
    if kind == "float64" and type(value) is int:
        return float(value)
    if kind in ("floats", "float32s") and isinstance(value, list):
        return [float(one) if type(one) is int else one for one in value]
    return value


_HINT = "read it with the version of brain-edge that wrote it"
_ONE_BUNDLE = "keep the rows of different bundles in folders of their own"
