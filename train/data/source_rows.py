"""Manifests to be joined: rows of several makers, which name things otherwise and say what may be done with them.

Beside the columns of ``train.data.manifest_csv`` they may have ``source`` (for ``dataset``), ``use`` and ``licence``. A
split may be missing, and beside the four brain classes there may be others, which are left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from train.data.labelling import Labelling, labelling
from train.data.manifest_csv import COLUMNS, MASK, sample_of
from train.data.manifest_table import Table, read_table
from train.data.problems import refuse
from train.data.samples import Sample
from train.data.stated_classes import CLASS_COLUMNS, StatedClasses, stated_classes

__all__ = ["SourceRow", "Sources", "read_sources"]

_COLUMNS = (*COLUMNS, MASK, *CLASS_COLUMNS, "source", "use", "licence")
_REQUIRED = ("path", "label")

#: What ``use`` may say: nothing is known, train on it, or only validate with it.
_USES = ("", "train", "validate")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One image of a manifest that is to be joined with others.

    Attributes:
        sample: The image; its group and split are the manifest's, empty where it has none.
        manifest: Number of its manifest, from 0.
        patient: Its patient's id within its data set; empty if unknown.
        validate_only: It may not be trained on.
        licence: As the manifest states it; empty if it does not.
    """

    sample: Sample
    manifest: int
    patient: str
    validate_only: bool
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The rows of several manifests.

    Attributes:
        rows: In the order of the manifests.
        unknown: Number of images of other classes than the four brain classes, by data set and class.
        says_negative: Whether a manifest says which class is negative, or that none is.
    """

    rows: Sequence[SourceRow] = field(repr=False)
    unknown: Mapping[tuple[str, str], int]
    says_negative: bool


def read_sources(manifests: Sequence[Path], *, datasets: Sequence[str] = ()) -> Sources:
    """Read manifests that are to be joined; the images themselves are not opened.

    If no label is one of the four brain classes', the labels are classes of the data sets' own.

    Args:
        manifests: Files; ``path`` and ``mask`` count from the folder of each.
        datasets: Read only rows of these data sets; empty for all.

    Raises:
        UnreadableInput: A manifest is missing, may not be read or is not UTF-8 text.
        DataRefused: A column or a data set is missing, manifests state different classes, or rows are wrong; all of
            them are named.
    """
    rows: list[SourceRow] = []
    unknown: Counter[tuple[str, str]] = Counter()
    met: set[str] = set()
    problems: list[str] = []
    tables = [
        read_table(path, _COLUMNS, required=_REQUIRED, hint="see docs/data.md")
        for path in manifests
    ]
    stated = _stated(manifests, tables)
    labels = (cell["label"] for table in tables for _, cell in table if cell["label"])
    known = labelling(labels, stated=stated)
    for number, (path, table) in enumerate(zip(manifests, tables, strict=True)):
        for line, cell in table:
            cell["dataset"] = cell["dataset"] or cell["source"]
            met.add(cell["dataset"])
            if datasets and cell["dataset"] not in datasets:
                continue
            if _is_unknown(cell["label"], known):
                unknown[cell["dataset"], cell["label"]] += 1
                continue
            try:
                rows.append(_row(cell, number, path.parent, known))
            except (DataRefused, ValueError) as error:
                problems.append(f"{shown_name(path)}, line {line}: {error}")
    absent = [name for name in datasets if name not in met]
    if absent:
        raise DataRefused(
            f"no row is of data set {', '.join(map(repr, absent))}, expected one of "
            f"{', '.join(sorted(map(repr, met)))}",
            hint="check the spelling of --dataset",
        )
    refuse(problems, what="bad rows", hint="correct the manifests")
    says_negative = stated is not None and stated.says_negative
    return Sources(rows=rows, unknown=unknown, says_negative=says_negative)


def _stated(manifests: Sequence[Path], tables: Sequence[Table]) -> StatedClasses | None:
    """Return the classes that the manifests share, if they state any; what one says of the negative class counts."""
    several = [
        stated_classes(table, what=shown_name(path))
        for path, table in zip(manifests, tables, strict=True)
    ]
    if len({stated and stated.classes for stated in several}) > 1:
        raise DataRefused(
            "the manifests state different classes",
            hint="divide the data sets with the same --classes and --negative",
        )
    says = [stated for stated in several if stated and stated.says_negative]
    return next(iter(says or several), None)


def _is_unknown(label: str, known: Labelling) -> bool:
    if not known.classes.is_brain:
        return False
    try:
        known.id_of(label)
    except DataRefused:
        return bool(label)  # an empty cell is no class but a mistake, which is named with its line
    return False


def _row(cell: Mapping[str, str], number: int, folder: Path, known: Labelling) -> SourceRow:
    if not cell["label"]:
        raise ValueError("label is empty")
    if cell["use"] not in _USES:
        raise ValueError(f"use is {cell['use']!r}, expected train or validate")
    return SourceRow(
        sample=sample_of(cell, folder=folder, known=known),
        manifest=number,
        patient=cell["patient_id"],
        validate_only=cell["use"] == "validate",
        licence=cell["licence"],
    )
