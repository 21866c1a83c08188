"""The results of a run's evaluation: metrics.json, and the probabilities of predictions.csv."""

import csv
import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import Classes
from edge_infer.errors import DataRefused
from edge_infer.figures.calibration import expected_calibration_error
from train.metrics.figures import group_bootstrap
from train.metrics.missed import classes_of_metrics

__all__ = ["ECE_BINS", "Answers", "read_answers"]

#: As in the reliability diagram.
ECE_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a model on one part of a data set.

    Attributes:
        metrics: metrics.json.
        classes: What the model tells apart.
        names: Of the images.
        groups: Patient or copy group of each; may be empty.
        labels: (N,), true class ids.
        probabilities: (N, classes).
    """

    metrics: dict[str, Any] = field(repr=False)
    classes: Classes
    names: tuple[str, ...] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(N,), predicted class ids."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def average_precision(self) -> dict[str, dict[str, Any]]:
        """Return the area below precision over recall of each class, with its interval."""
        return {
            name: asdict(
                group_bootstrap(
                    partial(_average_precision, self.labels == index, self.probabilities[:, index]),
                    len(self.labels),
                    groups=self.groups,
                )
            )
            for index, name in enumerate(self.classes.names)
        }

    def calibration_error(self) -> dict[str, Any]:
        """Return the expected calibration error in ten bins, with its interval."""
        return asdict(
            group_bootstrap(
                lambda rows: expected_calibration_error(
                    self.labels[rows], self.probabilities[rows], bins=ECE_BINS
                ),
                len(self.labels),
                groups=self.groups,
            )
        )


def read_answers(folder: Path) -> Answers | None:
    """Read an evaluation's folder; None if the run was not evaluated.

    Raises:
        DataRefused: A file is damaged, or the two do not belong together.
    """
    metrics_path, predictions_path = folder / "metrics.json", folder / "predictions.csv"
    if not (metrics_path.is_file() and predictions_path.is_file()):
        return None
    try:
        metrics = json.loads(metrics_path.read_text(encoding="utf-8"))
        with predictions_path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        classes = classes_of_metrics(metrics["model"])
        answers = Answers(
            metrics=metrics,
            classes=classes,
            names=tuple(row["name"] for row in rows),
            groups=tuple(row["group"] for row in rows),
            labels=np.array([classes.names.index(row["label"]) for row in rows]),
            probabilities=np.array(
                [[float(row[f"p_{name}"]) for name in classes.names] for row in rows]
            ),
        )
        counted = metrics["model"]["confusion_matrix"]["rows_true_columns_predicted"]
        found = np.zeros_like(np.array(counted))
        np.add.at(found, (answers.labels, answers.predicted), 1)
        same = found.tolist() == counted
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise _refused(folder, f"cannot be read ({error})") from error
    if not same:
        raise _refused(folder, "metrics.json was not counted from this predictions.csv")
    return answers


def _average_precision(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], rows: NDArray[np.int64]
) -> float | None:
    """Return the mean precision over the positives, ties taken together.

    Not scikit-learn's: its checks cost milliseconds a call, and the bootstrap makes 4,000 calls a run.
    """
    order = rows[np.argsort(-scores[rows], kind="stable")]
    found = np.cumsum(positive[order])
    if not len(found) or not found[-1]:
        return None
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    at = found[last_of_ties]
    return float((np.diff(at, prepend=0) * at / (last_of_ties + 1)).sum() / at[-1])


def _refused(folder: Path, why: str) -> DataRefused:
    return DataRefused(
        f"evaluation {folder.parent.parent.name}/evaluation/{folder.name}: {why}",
        hint=f"evaluate the run again: brain-train evaluate RUN/checkpoint --output RUN/evaluation/{folder.name}",
    )
