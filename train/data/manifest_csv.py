"""manifest.csv: one row an image, with its label, groups and a split that keeps groups together.

Columns: ``dataset path label official_split patient_id copy_group group proposed_split
label_conflict first_of_copies original_sha256 original_mode original_width original_height``, and ``mask`` where masks
of tumours are stated, and ``class_id`` and ``negative`` where the classes are not the four brain classes
(``train.data.stated_classes``). ``path`` and ``mask`` are relative to the manifest's own folder. Only ``path``,
``label`` and ``proposed_split`` are required; the others may be missing or empty.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from train.data.class_choice import ClassChoice
from train.data.labelling import Labelling, labelling
from train.data.manifest_table import read_table
from train.data.problems import refuse
from train.data.samples import SPLITS, Sample, Split, classes_of
from train.data.stated_classes import CLASS_COLUMNS, class_cells, stated_classes

__all__ = ["COLUMNS", "MASK", "manifest_hash", "read_manifest", "sample_of", "write_manifest"]

COLUMNS = (
    "dataset",
    "path",
    "label",
    "official_split",
    "patient_id",
    "copy_group",
    "group",
    "proposed_split",
    "label_conflict",
    "first_of_copies",
    "original_sha256",
    "original_mode",
    "original_width",
    "original_height",
)
#: A further column, which is written only if a mask is stated.
MASK = "mask"

_REQUIRED = ("path", "label", "proposed_split")


def read_manifest(path: Path, *, choice: ClassChoice | None = None) -> list[Sample]:
    """Read a manifest; the images themselves are not opened.

    Args:
        path: The file.
        choice: What is asked of its classes; default: they are its own.

    Returns:
        One sample a row, in the file's order; ``name`` is the row's ``path``.

    Raises:
        UnreadableInput: The file is missing, may not be read or is not UTF-8 text.
        DataRefused: A column is missing, or rows are wrong; all of them are named.
    """
    rows = read_table(
        path,
        (*COLUMNS, MASK, *CLASS_COLUMNS),
        required=_REQUIRED,
        hint="it needs the columns that brain-data split writes",
    )
    samples: list[Sample] = []
    problems: list[str] = []
    seen: set[str] = set()
    stated = stated_classes(rows, what=shown_name(path))
    known = labelling((cell["label"] for _, cell in rows if cell["label"]), choice, stated=stated)
    for line, cell in rows:
        try:
            sample = sample_of(cell, folder=path.parent, known=known)
        except (DataRefused, ValueError) as error:
            problems.append(f"line {line}: {error}")
            continue
        if sample.name in seen:
            problems.append(f"line {line}: {sample.name} is listed twice")
        seen.add(sample.name)
        samples.append(sample)
    refuse(
        problems,
        what=f"{shown_name(path)}: bad rows",
        hint="correct the manifest, or write a new one with brain-data split",
    )
    return samples


def sample_of(cell: Mapping[str, str], *, folder: Path, known: Labelling | None = None) -> Sample:
    """Make a sample of a row; no file is opened.

    Args:
        cell: Its cells by column, those of ``COLUMNS`` and ``MASK``.
        folder: The manifest's folder.
        known: The manifest's classes; default: the four brain classes.

    Raises:
        DataRefused: Its label is unknown.
        ValueError: Another cell is wrong.
    """
    if not cell["path"]:
        raise ValueError("path is empty")
    for column in ("path", MASK):
        if "\0" in cell[column]:
            raise ValueError(f"{column} holds a null character")
    split = cell["proposed_split"]
    if split not in (*SPLITS, ""):
        raise ValueError(f"proposed_split is {split!r}, expected train, val, test")
    width, height = cell["original_width"], cell["original_height"]
    known = known or labelling(())
    return Sample(
        source=folder / cell["path"],
        name=cell["path"],
        label=known.id_of(cell["label"]),
        classes=known.classes,
        split=split,
        group=cell["group"],
        is_copy=not _flag(cell, "first_of_copies", default=True),
        label_conflict=_flag(cell, "label_conflict", default=False),
        dataset=cell["dataset"],
        original_size=(int(width), int(height)) if width and height else None,
        original_mode=cell["original_mode"],
        original_sha256=cell["original_sha256"],
        mask=folder / cell[MASK] if cell[MASK] else None,
    )


def _flag(cell: Mapping[str, str], column: str, *, default: bool) -> bool:
    if cell[column] not in ("0", "1", ""):
        raise ValueError(f"{column} is {cell[column]!r}, expected 0 or 1")
    return cell[column] == "1" if cell[column] else default


def write_manifest(
    path: Path,
    samples: Iterable[Sample],
    *,
    official: Mapping[str, Split] | None = None,
    says_negative: bool = True,
) -> None:
    """Write samples as a manifest with paths relative to the manifest's folder.

    Args:
        path: The file to write; replaced in one step.
        samples: Their sources are files.
        official: The split that the data set came with, by sample name.
        says_negative: Of classes of their own without a negative one: state that none is, or leave it open.

    Raises:
        DataRefused: An image is stored inside a table and has no file of its own.
        CannotWrite: The file cannot be written; an older one is unharmed.
    """
    written = list(samples)
    folder = Path(os.path.realpath(path)).parent
    text = io.StringIO(newline="")
    classes = classes_of(written)
    columns = [*COLUMNS, *class_cells(classes, 0, says_negative=says_negative)]
    if any(sample.mask for sample in written):
        columns.append(MASK)
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for sample in written:
        if isinstance(sample.source, bytes):
            raise DataRefused(
                f"{sample.name}: is stored inside a table and has no file that a manifest could name",
                hint="save the images as files to divide them again",
            )
        width, height = sample.original_size or ("", "")
        writer.writerow(
            {
                "dataset": sample.dataset,
                "path": _name(folder, sample.source),
                "label": sample.class_name,
                "official_split": (official or {}).get(sample.name, ""),
                "group": sample.group,
                "proposed_split": sample.split,
                "label_conflict": int(sample.label_conflict),
                "first_of_copies": int(not sample.is_copy),
                "original_sha256": sample.original_sha256,
                "original_mode": sample.original_mode,
                "original_width": width,
                "original_height": height,
                MASK: _name(folder, sample.mask) if sample.mask else "",
                **class_cells(classes, sample.label, says_negative=says_negative),
            }
        )
    write_bytes_atomically(path, text.getvalue().encode())


def _name(folder: Path, file: Path) -> str:
    """Return what a manifest in ``folder`` calls a file."""
    name = _path_from(folder, file)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataRefused(
            f"{shown_name(name)}: is not UTF-8, so a manifest cannot name it",
            hint="rename the file or folder, or write the manifest below that folder",
        ) from error
    return name


def _path_from(folder: Path, file: Path) -> str:
    """Return a file's path relative to a folder, through the links it was found by if that path works."""
    relative = os.path.relpath(file.absolute(), folder)
    try:
        is_there = (folder / relative).exists()
    except OSError:
        is_there = False
    if not is_there:  # behind a link, ".." leads elsewhere
        relative = os.path.relpath(os.path.realpath(file), folder)
    return Path(relative).as_posix()


def manifest_hash(samples: Sequence[Sample]) -> str:
    """Return the sha256 of which image has which label, split and group, and which mask where one is stated.

    Classes that are not the four brain classes count too. It depends on the samples' names, not on their order or on
    the data set's place.
    """
    rows = sorted([*_facts(sample), *_stated_mask(sample)] for sample in samples)
    classes = classes_of(samples)
    if not classes.is_brain:
        rows.append([*classes.names, classes.negative or ""])
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def _facts(sample: Sample) -> list[str | int]:
    return [
        sample.name,
        sample.label,
        sample.split,
        sample.group,
        sample.is_copy,
        sample.label_conflict,
    ]


def _stated_mask(sample: Sample) -> list[str]:
    """Return the path to the mask from the image's folder, which does not depend on their place."""
    if sample.mask is None or isinstance(sample.source, bytes):
        return []
    return [Path(os.path.relpath(sample.mask, sample.source.parent)).as_posix()]
