"""Figures with their n and 95 % interval. Nothing is published without both.

Shares (accuracy, recall, precision) have Wilson's score interval (Wilson 1927). Figures that are not shares (macro F1,
balanced accuracy, AUC), and the accuracy a second time, have a percentile bootstrap over patient groups: images of one
patient are not independent, so whole groups are drawn (Efron and Tibshirani 1993, ch. 8).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from edge_infer.classes import Classes
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

_Z = 1.959963984540054  # the normal quantile at 97.5 %
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure, ready to be published.

    Attributes:
        value: Between 0 and 1; None if undefined, never NaN.
        n: Number of images.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
        interval: ``wilson`` or ``group_bootstrap``.
    """

    value: float | None
    n: int
    low: float | None
    high: float | None
    interval: str


def wilson_interval(successes: int, n: int) -> Figure:
    """Return a share with Wilson's 95 % score interval."""
    if n == 0:
        return Figure(value=None, n=0, low=None, high=None, interval="wilson")
    share = successes / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z / (1 + _Z * _Z / n) * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return Figure(
        value=share,
        n=n,
        low=max(0.0, centre - half),
        high=min(1.0, centre + half),
        interval="wilson",
    )


class GroupBootstrap:
    """The resamples of one set of images, drawn once for all its figures.

    Args:
        n: How many rows there are.
        groups: Patient or copy group of each row; a row with an empty name is its own group.
        seed: Of the draws.
    """

    def __init__(self, n: int, *, groups: Sequence[str] | None = None, seed: int = 0) -> None:
        self._n = n
        self._draws = _group_draws(groups, n, seed)

    def __call__(self, statistic: Callable[[NDArray[np.int64]], float | None]) -> Figure:
        """Return a figure with its interval; the statistic is None if it is undefined."""
        value = statistic(np.arange(self._n))
        values = [drawn for drawn in map(statistic, self._draws) if drawn is not None]
        if value is None or not values:
            return Figure(value=None, n=self._n, low=None, high=None, interval="group_bootstrap")
        low, high = np.percentile(values, [2.5, 97.5])
        return Figure(
            value=value, n=self._n, low=float(low), high=float(high), interval="group_bootstrap"
        )


def group_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float | None],
    n: int,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Figure:
    """Return a figure that is not a share, with its interval over patient groups.

    Args:
        statistic: Returns the figure of some rows; None if it is undefined for them.
        n: How many rows there are.
        groups: Patient or copy group of each row; a row with an empty name is its own group.
        seed: Of the bootstrap.
    """
    return GroupBootstrap(n, groups=groups, seed=seed)(statistic)


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


def _group_draws(groups: Sequence[str] | None, n: int, seed: int) -> list[NDArray[np.int64]]:
    """Return row indices of each resample; an image without a group is its own group."""
    names = [group or f"image {row}" for row, group in enumerate(groups or [""] * n)]
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    blocks = [np.array(rows) for rows in members.values()]
    generator = np.random.default_rng(seed)
    return [
        np.concatenate(
            [blocks[chosen] for chosen in generator.integers(0, len(blocks), len(blocks))]
        )
        for _ in range(_RESAMPLES)
    ]


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
