"""Answers to images that a model did not learn from, although it learnt from most of their data set: folds.

The data set is divided into folds by patient group, a model is trained for each fold on the others, and answers for its
own. All rows together are many more patients than a validation part has, and none of them chose an epoch of the model
that answers for it (cross-conformal prediction; Vovk, 2015, https://arxiv.org/abs/1208.0806).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from export.trust.logit_cells import answer_problem, logit_columns
from train.data.manifest_table import read_table
from train.data.problems import refuse

__all__ = ["OUT_OF_FOLD_FILE", "OutOfFold", "read_out_of_fold"]

#: Beside a checkpoint's weights.
OUT_OF_FOLD_FILE = "out_of_fold.csv"

_COLUMNS = ("group", "label")
_HINT = "give predictions.csv of brain-train evaluate, one for each fold"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Answers to labelled images.

    Attributes:
        logits: float64, (N, classes).
        labels: int64, (N,), class ids.
        groups: N patient groups, none empty.
        source: The names of the files.
    """

    logits: NDArray[np.float64] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    source: str


def read_out_of_fold(paths: Sequence[Path], classes: Classes = BRAIN) -> OutOfFold:
    """Read predictions.csv of ``brain-train evaluate``, or files with its columns ``group label logit_*``.

    Args:
        paths: One or more files; no patient group may be in two of them.
        classes: Of the model.

    Raises:
        UnreadableInput: A file is missing, may not be read or is not UTF-8 text.
        DataRefused: A column is missing, rows are wrong, a class has no row, or files share a patient group.
    """
    problems: list[str] = []
    logits: list[list[float]] = []
    labels: list[int] = []
    groups: list[str] = []
    file_of: dict[str, int] = {}
    of_logits = logit_columns(classes)
    columns = (*_COLUMNS, *of_logits)
    for number, path in enumerate(paths):
        shared: set[str] = set()
        for line, cell in read_table(path, columns, required=columns, hint=_HINT, what="answers"):
            problem = _problem(cell, classes)
            if problem:
                problems.append(f"{shown_name(path.name)}, line {line}: {problem}")
                continue
            if file_of.setdefault(cell["group"], number) != number:
                shared.add(cell["group"])
            logits.append([float(cell[column]) for column in of_logits])
            labels.append(classes.names.index(cell["label"]))
            groups.append(cell["group"])
        if shared:
            problems.append(
                f"{shown_name(path.name)}: {len(shared)} patient groups are in another file too, such as "
                f"{shown_name(min(shared))}"
            )
    refuse(problems, what="out-of-fold answers cannot be used", hint=_HINT)
    absent = sorted(set(classes.names) - {classes.names[label] for label in labels})
    if absent:
        raise DataRefused(f"out-of-fold answers: none for {', '.join(absent)}", hint=_HINT)
    return OutOfFold(
        logits=np.array(logits, dtype=np.float64),
        labels=np.array(labels, dtype=np.int64),
        groups=tuple(groups),
        source=", ".join(shown_name(path.name) for path in paths),
    )


def _problem(cell: dict[str, str], classes: Classes) -> str:
    if not cell["group"]:
        return "group is empty: thresholds are fitted by patient"
    return answer_problem(cell, classes)
