"""Answers to slices of whole volumes, by models trained without the patient: what a rule for series is fitted on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.names import shown_name
from edge_infer.scan_slice import Plane
from export.trust.logit_cells import answer_problem, logit_columns
from train.data.manifest_table import read_table
from train.data.problems import refuse

__all__ = ["VOLUME_ANSWERS_FILE", "Volume", "VolumeAnswers", "read_volume_answers"]

#: Beside a checkpoint's weights.
VOLUME_ANSWERS_FILE = "volumes_out_of_fold.csv"

_COLUMNS = ("group", "volume", "plane", "slice", "label")
_HINT = "write it with docs/experiments/volume_answers.py"
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """The slices of one volume, in order; neighbours in this list may lie further apart where slices are missing.

    Attributes:
        name: Of the volume.
        patient: The patient group.
        plane: ``axial``, ``coronal`` or ``sagittal``.
        numbers: (N,), places in the volume, counted in slices, rising.
        shows_tumour: (N,), whether a slice shows one; of other classes, whether it is of any but the negative one.
        logits: float64, (N, classes).
    """

    name: str
    patient: str
    plane: str
    numbers: NDArray[np.int64] = field(repr=False)
    shows_tumour: NDArray[np.bool_] = field(repr=False)
    logits: NDArray[np.float64] = field(repr=False)

    def without_tumour(self) -> "Volume":
        """Return the volume without the slices that show a tumour: what stands for a healthy one."""
        kept = ~self.shows_tumour
        return Volume(
            name=self.name,
            patient=self.patient,
            plane=self.plane,
            numbers=self.numbers[kept],
            shows_tumour=self.shows_tumour[kept],
            logits=self.logits[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAnswers:
    """Answers to volumes, and where they come from."""

    volumes: tuple[Volume, ...] = field(repr=False)
    source: str

    @property
    def slices(self) -> int:
        """How many slices all volumes have."""
        return sum(len(volume.numbers) for volume in self.volumes)


def read_volume_answers(path: Path, classes: Classes = BRAIN) -> VolumeAnswers:
    """Read a table with the columns ``group volume plane slice label logit_*``.

    Args:
        path: The file.
        classes: Of the model; one of them is the negative class.

    Raises:
        UnreadableInput: The file is missing, may not be read or is not UTF-8 text.
        DataRefused: A column is missing, a row is wrong, a slice is there twice, or a volume has two patients.
    """
    problems: list[str] = []
    of_logits = logit_columns(classes)
    columns = (*_COLUMNS, *of_logits)
    rows: dict[str, dict[int, tuple[bool, list[float]]]] = {}
    origins: dict[str, tuple[str, str]] = {}
    for line, cell in read_table(path, columns, required=columns, hint=_HINT, what="answers"):
        found = _problem(cell, classes)
        volume = cell["volume"]
        origin = (cell["group"], cell["plane"])
        if not found and origins.setdefault(volume, origin) != origin:
            found = "volume is of another group or plane above"
        if not found and int(cell["slice"]) in rows.get(volume, {}):
            found = "slice is there twice"
        if found:
            problems.append(f"{shown_name(path.name)}, line {line}: {found}")
            continue
        answer = (
            cell["label"] != classes.negative,
            [float(cell[column]) for column in of_logits],
        )
        rows.setdefault(volume, {})[int(cell["slice"])] = answer
    refuse(problems, what="the answers to volumes cannot be used", hint=_HINT)
    volumes = tuple(_volume(name, origins[name], rows[name].items()) for name in sorted(rows))
    return VolumeAnswers(
        volumes=volumes,
        source=f"answers of models trained without the volume's patient ({shown_name(path.name)})",
    )


def _volume(
    name: str, origin: tuple[str, str], slices: Iterable[tuple[int, tuple[bool, list[float]]]]
) -> Volume:
    ordered = sorted(slices)
    patient, plane = origin
    return Volume(
        name=name,
        patient=patient,
        plane=plane,
        numbers=np.array([number for number, _ in ordered], dtype=np.int64),
        shows_tumour=np.array([shows for _, (shows, _) in ordered], dtype=np.bool_),
        logits=np.array([logits for _, (_, logits) in ordered], dtype=np.float64),
    )


def _problem(cell: dict[str, str], classes: Classes) -> str:
    for column in ("group", "volume"):
        if not cell[column]:
            return f"{column} is empty"
    if cell["plane"] not in get_args(Plane):
        return f"plane is {shown_name(cell['plane'])}, expected one of {', '.join(get_args(Plane))}"
    number = cell["slice"]
    if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS):
        return f"slice is {shown_name(number)}, expected a whole number"
    return answer_problem(cell, classes)
