"""The slices to measure on: rows of manifests that name each image's patient, volume and sequence."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused, NoInputs
from edge_infer.names import counted, shown_name
from train.data.class_names import label_id
from train.data.manifest_table import read_table
from train.data.problems import refuse
from train.data.samples import SPLITS, Sample

__all__ = ["Filters", "Slice", "chosen_slices", "read_slices"]

logger = logging.getLogger(__name__)

_REQUIRED = ("path", "label")
_COLUMNS = (
    *_REQUIRED,
    *("source", "dataset", "modality", "patient_id", "group", "volume", "slice", "mask"),
    *("proposed_split", "label_conflict", "first_of_copies"),
)
_HEALTHY, _FOREIGN = LABELS.index("no_tumor"), -1
_MOST_DIGITS = 9  # of a slice's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One image, and the volume it was cut from.

    Attributes:
        image: Its file.
        name: The manifest's ``path``.
        label: Class id; -1 for a class that models do not know.
        dataset: The data set it came from.
        modality: The sequence, such as ``T1c``; empty if unknown.
        patient: The group of images that belong together; where a manifest names none, the patient. Empty if unknown.
        volume: Its volume. Where a manifest names none, all slices that one patient has of one sequence; empty if
            patient or sequence is unknown.
        position: Number of the slice in its volume; None if unknown.
        mask: File with the tumour's outline, if there is one.
        split: The part it belongs to, or empty.
    """

    image: Path = field(repr=False)
    name: str
    label: int
    dataset: str
    modality: str
    patient: str
    volume: str
    position: int | None
    mask: Path | None = field(repr=False)
    split: str

    @property
    def source(self) -> str:
        """Data set and sequence: only slices that share both are compared."""
        return f"{self.dataset} {self.modality}".strip()

    @property
    def shows_tumour(self) -> bool:
        """Whether it is labelled with a tumour."""
        return self.label != _HEALTHY

    def sample(self) -> Sample:
        """The slice as caches of images know it."""
        return Sample(source=self.image, name=self.name, label=self.label, group=self.patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which slices to keep; what is empty keeps all.

    Attributes:
        below: Folder that holds the image.
        datasets: Data sets to keep.
        modalities: Sequences to keep.
        patients: Patients to keep.
        without_patients: Patients to leave out.
        split: The part to keep.
    """

    below: Path | None = None
    datasets: Sequence[str] = ()
    modalities: Sequence[str] = ()
    patients: Sequence[str] = ()
    without_patients: Sequence[str] = ()
    split: str = ""

    def keep(self, one: Slice) -> bool:
        """Whether a slice is kept."""
        return (
            (self.below is None or _lies_below(one.image, self.below))
            and (not self.datasets or one.dataset in self.datasets)
            and (not self.modalities or one.modality in self.modalities)
            and (not self.patients or one.patient in self.patients)
            and one.patient not in self.without_patients
            and (not self.split or one.split == self.split)
        )


def _lies_below(file: Path, folder: Path) -> bool:
    """Whether a file, or what it is linked to, lies below a folder."""
    return any(
        # Not Path.resolve, which raises for links in a circle.
        Path(path(file)).is_relative_to(path(folder))
        for path in (os.path.realpath, os.path.abspath)
    )


def chosen_slices(slices: Sequence[Slice], filters: Filters) -> list[Slice]:
    """Return the slices that the filters keep; of those, classes that models do not know are left out with a warning.

    Raises:
        NoInputs: None is left, or a name that was asked for occurs nowhere: a mistyped patient would otherwise be
            measured on without a word.
        DataRefused: An image is listed twice, or a mask is missing.
    """
    for what, asked, found in (
        ("data set", filters.datasets, {one.dataset for one in slices}),
        ("modality", filters.modalities, {one.modality for one in slices}),
        ("patient", filters.patients, {one.patient for one in slices}),
        ("patient", filters.without_patients, {one.patient for one in slices}),
    ):
        unknown = [name for name in asked if name not in found]
        if unknown:
            raise NoInputs(
                f"no image is of {what} {', '.join(map(shown_name, unknown))}",
                hint=f"the manifest's column says which {what} each image is of",
            )
    asked_for = [one for one in slices if filters.keep(one)]
    kept = [one for one in asked_for if one.label != _FOREIGN]
    if len(kept) < len(asked_for):
        logger.warning(
            "left out: %s of other classes", counted(len(asked_for) - len(kept), "image")
        )
    refuse(_wrong_files(kept), what="the manifests cannot be used", hint="correct the manifests")
    if not kept:
        raise NoInputs(
            f"none of {counted(len(slices), 'image')} is left",
            hint="--data, --dataset, --modality, --patient and --split each leave images out",
        )
    return kept


def _wrong_files(slices: Sequence[Slice]) -> list[str]:
    """Name the images that are listed twice, and those whose mask is missing."""
    problems, seen = [], set()
    for one in slices:
        file = os.path.realpath(one.image)
        if file in seen:
            problems.append(f"{shown_name(one.name)}: is listed twice")
        seen.add(file)
        if one.mask is not None and not one.mask.is_file():
            problems.append(f"{shown_name(one.name)}: its mask {shown_name(one.mask)} is missing")
    return problems


def read_slices(path: Path) -> list[Slice]:
    """Read a manifest: that of a data set of volumes, or one that ``brain-data split`` wrote.

    Needed are the columns ``path`` and ``label``; used are ``source`` or ``dataset``, ``modality``, ``group`` or
    ``patient_id``, ``volume``, ``slice``, ``mask``, ``proposed_split``, ``label_conflict``, ``first_of_copies``. Paths
    count from the manifest's own folder. Further copies of an image and images with conflicting labels are left out.

    Raises:
        UnreadableInput: The file is missing, may not be read or is not UTF-8 text.
        DataRefused: A column is missing, or rows are wrong; all of them are named.
    """
    slices: list[Slice] = []
    problems: list[str] = []
    for line, row in read_table(
        path, _COLUMNS, required=_REQUIRED, hint="docs/volumes.md lists the columns"
    ):
        if row["label_conflict"] == "1" or row["first_of_copies"] == "0":
            continue
        try:
            slices.append(_slice(row, folder=path.parent))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    refuse(problems, what=f"{shown_name(path)}: bad rows", hint="correct the manifest")
    return slices


def _volume(name: str, patient: str) -> str:
    """Make a volume's name its own: those such as "T1c-axial" occur once for each patient."""
    return name if not name or patient in name else f"{patient} {name}"


def _label(name: str) -> int:
    try:
        return label_id(name)
    except DataRefused:
        return _FOREIGN


def _slice(row: Mapping[str, str], *, folder: Path) -> Slice:
    name, split, number = row["path"], row["proposed_split"], row["slice"]
    if not row["label"]:
        raise ValueError("label is empty")
    if not name or "\0" in name:
        raise ValueError("path is empty or holds a null character")
    if split not in (*SPLITS, ""):
        raise ValueError(f"proposed_split is {split!r}, expected train, val, test")
    if number and not (number.isdecimal() and len(number) <= _MOST_DIGITS):
        raise ValueError(f"slice is {number!r}, expected a number")
    patient, modality = row["group"] or row["patient_id"], row["modality"]
    of_patient = f"{patient} {modality}" if patient and modality else ""
    return Slice(
        image=folder / name,
        name=name,
        label=_label(row["label"]),
        dataset=row["source"] or row["dataset"] or folder.absolute().name,
        modality=modality,
        patient=patient or row["volume"],
        volume=_volume(row["volume"], patient) or of_patient,
        position=int(number) if number else None,
        mask=folder / row["mask"] if row["mask"] else None,
        split=split,
    )
