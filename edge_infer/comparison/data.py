"""The images that both bundles are asked about, and what is known about them: from folders' names, or from a table."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import DataRefused
from edge_infer.image_file import read_file
from edge_infer.inputs import expand_inputs
from edge_infer.names import shown_name

__all__ = ["Data", "Known", "find_data"]

_PATH, _LABEL, _GROUP = "path", "label", "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about a file.

    Attributes:
        truth: Class id; None if unknown.
        group: Patient or copy group; empty if unknown.
    """

    truth: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Files, and what is known about them.

    Attributes:
        folder: That was given.
        images: Image files.
        scans: Files of scans.
        left_out: What is neither, in words; empty if nothing is.
        labels: Of the bundles, in order.
        table: By absolute path; None where no table was given.
    """

    folder: Path
    images: tuple[Path, ...]
    scans: tuple[Path, ...]
    left_out: str
    labels: tuple[str, ...]
    table: Mapping[str, Known] | None = field(default=None, repr=False)

    def known(self, path: Path) -> Known:
        """Return what is known about a file: what the table says, else the nearest folder named as a class."""
        if self.table is not None:
            return self.table.get(_key(path), Known())
        try:
            inside = path.relative_to(self.folder).parts[:-1]
        except ValueError:
            return Known()
        named = [part for part in inside if part in self.labels]
        return Known(truth=self.labels.index(named[-1])) if named else Known()

    def shown(self, name: str) -> str:
        """Return the name of a file below the folder, or as it is."""
        start = f"{self.folder}{os.sep}"
        return name.removeprefix(start)


def find_data(folder: Path, labels: Sequence[str], table: Path | None = None) -> Data:
    """List what there is.

    Args:
        folder: Of images and scans, as ``brain-infer`` takes; or one file.
        labels: Of the bundles.
        table: CSV with the columns ``path`` (below ``folder``), ``label`` and perhaps ``group``.

    Raises:
        NoInputs: There is nothing.
        UnreadableInput: Folder or table cannot be read.
        DataRefused: The table cannot be used.
    """
    found = expand_inputs([folder])
    data = Data(
        folder=folder,
        images=tuple(path for path in found.images if isinstance(path, Path)),
        scans=tuple(found.scans),
        left_out=found.left_out,
        labels=tuple(labels),
        table=None if table is None else _read_table(table, folder, labels),
    )
    files = [*data.images, *data.scans]
    if data.table is not None and not any(_key(path) in data.table for path in files):
        name = shown_name(table.name) if table else ""
        raise DataRefused(
            f"{name}: none of its {len(data.table)} rows names one of the {len(files)} files",
            hint="paths are those below the folder of --data, such as glioma/scan.jpg",
        )
    return data


def _read_table(table: Path, folder: Path, labels: Sequence[str]) -> dict[str, Known]:
    name = shown_name(table.name)
    try:
        text = read_file(table).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataRefused(f"{name}: is no CSV table in UTF-8", hint="export it again") from error
    if not rows or not {_PATH, _LABEL} <= set(rows[0]):
        raise DataRefused(
            f"{name}: has no rows, or its first line lacks the columns {_PATH} and {_LABEL}",
            hint=f"its first line is {_PATH},{_LABEL} or {_PATH},{_LABEL},{_GROUP}",
        )
    known: dict[str, Known] = {}
    for number, row in enumerate(rows, start=2):
        label = (row[_LABEL] or "").strip()
        if label and label not in labels:
            raise DataRefused(
                f"{name}: line {number} has a label that is none of {', '.join(labels)}",
                hint="name classes as the bundles do; leave unknown ones empty",
            )
        key = _key(folder / (row[_PATH] or ""))
        here = Known(
            truth=list(labels).index(label) if label else None,
            group=(row.get(_GROUP) or "").strip(),
        )
        if known.setdefault(key, here) != here:
            raise DataRefused(
                f"{name}: line {number} names a file again and says something else",
                hint="keep one of the lines",
            )
    return known


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 -- links stay what they are called
