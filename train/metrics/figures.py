"""Figures with their n and 95 % interval. Nothing is published without both.

Shares (accuracy, recall, precision) have Wilson's score interval (Wilson 1927). Figures that are not shares (macro F1,
balanced accuracy, AUC), and the accuracy a second time, have a percentile bootstrap over patient groups: images of one
patient are not independent, so whole groups are drawn (Efron and Tibshirani 1993, ch. 8).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from edge_infer.classes import Classes
from edge_infer.figures.intervals import Figure, GroupBootstrap, group_bootstrap, wilson_interval
from train.metrics.missed import missed_key, negative_field

__all__ = [
    "Figure",
    "GroupBootstrap",
    "classification_metrics",
    "group_bootstrap",
    "macro_f1",
    "roc_auc",
    "wilson_interval",
]


def macro_f1(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[int]
) -> float | None:
    """Return the mean F1 of the classes that occur among labels or answers."""
    return _mean([_f1(labels, predicted, k) for k in classes])


def roc_auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """Return the share of pairs in the right order, ties counting half (Mann and Whitney 1947).

    Not scikit-learn's: its checks cost milliseconds a call, and the bootstrap makes 8,000 calls a table.
    """
    given, others = scores[positive], np.sort(scores[~positive])
    if not (len(given) and len(others)):
        return None
    below = np.searchsorted(others, given, side="left")
    not_above = np.searchsorted(others, given, side="right")
    return float((below + not_above).sum() / (2 * len(given) * len(others)))


def classification_metrics(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Classes,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute what metrics.json holds of one test set.

    Args:
        labels: (N,), true class ids.
        probabilities: (N, classes).
        classes: In class order; what may be missed is known only with a negative class.
        groups: Patient or copy group of each image; one with an empty name is its own group.
        seed: Of the bootstrap.
    """
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, labels=range(len(classes)))
    bootstrap = GroupBootstrap(len(labels), groups=groups, seed=seed)

    def bootstrapped(statistic: Callable[[NDArray[np.int64]], float | None]) -> dict[str, Any]:
        return asdict(bootstrap(statistic))

    per_class: dict[str, Any] = {}
    for index, name in enumerate(classes.names):
        correct, true, called = (
            int(value)
            for value in (matrix[index, index], matrix[index].sum(), matrix[:, index].sum())
        )
        per_class[name] = {
            "recall": asdict(wilson_interval(correct, true)),
            "precision": asdict(wilson_interval(correct, called)),
            "f1": bootstrapped(partial(_class_f1, labels, predicted, index)),
            "roc_auc": bootstrapped(partial(_class_auc, labels, probabilities, index)),
        }
    ids = range(len(classes))
    metrics = {
        "n": len(labels),
        "groups": len({group for group in groups if group}) if groups else 0,
        "accuracy": asdict(wilson_interval(int((predicted == labels).sum()), len(labels))),
        "accuracy_by_group": bootstrapped(
            lambda rows: float((predicted[rows] == labels[rows]).mean())
        ),
        "balanced_accuracy": bootstrapped(
            lambda rows: _mean([_recall(labels[rows], predicted[rows], k) for k in ids])
        ),
        "macro_f1": bootstrapped(lambda rows: macro_f1(labels[rows], predicted[rows], ids)),
        "roc_auc_macro": bootstrapped(
            lambda rows: _mean([roc_auc(labels[rows] == k, probabilities[rows, k]) for k in ids])
        ),
        "per_class": per_class,
        "confusion_matrix": {
            "labels": list(classes.names),
            "rows_true_columns_predicted": matrix.tolist(),
        },
    }
    negative = classes.negative_id
    if negative is not None:
        missed = int(matrix[:, negative].sum() - matrix[negative, negative])
        metrics[missed_key(classes)] = asdict(
            wilson_interval(missed, int((labels != negative).sum()))
        )
    return metrics | negative_field(classes)


def _recall(labels: NDArray[np.int64], predicted: NDArray[np.int64], k: int) -> float | None:
    true = labels == k
    return float((predicted[true] == k).mean()) if true.any() else None


def _f1(labels: NDArray[np.int64], predicted: NDArray[np.int64], k: int) -> float | None:
    true, called = labels == k, predicted == k
    if not (true.any() or called.any()):
        return None
    return float(2 * (true & called).sum() / (true.sum() + called.sum()))


def _class_f1(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], k: int, rows: NDArray[np.int64]
) -> float | None:
    return _f1(labels[rows], predicted[rows], k)


def _class_auc(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], k: int, rows: NDArray[np.int64]
) -> float | None:
    return roc_auc(labels[rows] == k, probabilities[rows, k])


def _mean(values: list[float | None]) -> float | None:
    """Return the mean over the classes that occur."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
