"""Thresholds of prediction sets, class by class and by patient group, and the least score of an accepted answer.

A class is in the set if 1 - p is at most the threshold of that class. Each threshold is fitted on the images of its own
class (Mondrian conformal prediction; Vovk, Gammerman, Shafer; Algorithmic learning in a random world, 2005; with 1 - p
as in Romano, Sesia, Candes, 2020, https://arxiv.org/abs/2006.02544, and Angelopoulos, Bates, 2021,
https://arxiv.org/abs/2107.07511). So each class is in its set in 90 % of the cases, not only the four on average.

Slices of one patient are no independent draws. Each patient group therefore has the same weight, whatever its number of
slices, and groups are what is counted (Dunn, Wasserman, Ramdas, 2022, https://arxiv.org/abs/1809.07441; Lee, Barber,
Willett, 2023, https://arxiv.org/abs/2312.10186: hierarchical conformal prediction). What follows is about an image
of a new patient, drawn at random from those of this patient.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALPHA",
    "TARGET_ACCURACY",
    "accepted_answers",
    "coverage",
    "fit_thresholds",
    "group_counts",
    "group_weights",
    "least_groups",
    "least_score",
    "prediction_sets",
    "separate_groups",
]

#: Share of images whose class may be missing from the set.
ALPHA = 0.1

#: Accuracy that ``least_score`` is to reach among accepted answers.
TARGET_ACCURACY = 0.97

# Sums of weights such as 1/3 miss what they stand for by about this much.
_ROUNDING = 1e-9
_DIGITS = 1e6


def separate_groups(groups: Sequence[str]) -> list[str]:
    """Return the groups, with a group of its own for each image of which none is known."""
    return [group or f"\0{row}" for row, group in enumerate(groups)]


def group_counts(labels: NDArray[np.int64], groups: Sequence[str], classes: int) -> list[int]:
    """Return how many groups each class has."""
    pairs = set(zip(labels.tolist(), groups, strict=True))
    found = Counter(label for label, _ in pairs)
    return [found[label] for label in range(classes)]


def least_groups(alpha: float) -> int:
    """Return how many groups a class needs for the level 1 - alpha: 9 for 0.1."""
    return math.ceil((1 - alpha) / alpha - _ROUNDING)


def fit_thresholds(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    *,
    alpha: float = ALPHA,
    best_of_few: bool = False,
) -> list[float]:
    """Return the threshold of each class.

    With K groups of the class, it is the smallest score 1 - p at which the weight of the images reaches
    (1 - alpha)(K + 1)/K; an image weighs 1/K over the number of its group's images of this class.

    Args:
        probabilities: (N, classes).
        labels: (N,), class ids.
        groups: N patient groups.
        alpha: Share of images whose class may be missing.
        best_of_few: What a class of fewer groups than ``least_groups`` gets: the largest score seen, which promises
            only K/(K + 1); otherwise 1, with which the class is in every set. A class without images gets 1.
    """
    thresholds = []
    for label in range(probabilities.shape[1]):
        rows = np.flatnonzero(labels == label).tolist()
        scores = 1 - probabilities[rows, label]
        own = [groups[row] for row in rows]
        thresholds.append(_class_threshold(scores, own, alpha, best_of_few=best_of_few))
    return thresholds


def _class_threshold(
    scores: NDArray[np.float64], groups: Sequence[str], alpha: float, *, best_of_few: bool
) -> float:
    if not len(scores):
        return 1.0
    weights = group_weights(groups)
    count = len(set(groups))
    level = (1 - alpha) * (count + 1) / count
    if level > 1 + _ROUNDING and not best_of_few:
        return 1.0
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) >= min(level, 1.0) - _ROUNDING
    # Rounded up, so that the image that decides stays inside.
    score = float(scores[order][int(reached.argmax())])
    return min(math.ceil(score * _DIGITS) / _DIGITS, 1.0)


def prediction_sets(
    probabilities: NDArray[np.float64], thresholds: Sequence[float]
) -> NDArray[np.bool_]:
    """Return which classes are in the set of each image: (N, classes)."""
    return np.asarray(1 - probabilities <= np.asarray(thresholds), dtype=np.bool_)


def accepted_answers(
    probabilities: NDArray[np.float64], thresholds: Sequence[float], least: float
) -> NDArray[np.bool_]:
    """Return which answers are accepted by their sets and the least score, as ``edge_infer.decision`` does it: (N,).

    Scope and doubts about the image are not looked at.
    """
    single = prediction_sets(probabilities, thresholds).sum(axis=1) == 1
    return np.asarray(single & (probabilities.max(axis=1) >= least), dtype=np.bool_)


def least_score(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    thresholds: Sequence[float],
    *,
    target: float = TARGET_ACCURACY,
) -> float:
    """Return the smallest top probability at which accepted answers are as accurate as asked.

    Accepted are images whose set has one class and whose top probability is not below it; each patient group counts as
    one. This is selective classification (Geifman, El-Yaniv, 2017, https://arxiv.org/abs/1705.08500), without the bound
    that they add: the accuracy is the one of the given images. 0 if all sets of one class are accurate enough, 1 if no
    score is.

    Args:
        probabilities: (N, classes).
        labels: (N,), class ids.
        groups: N patient groups.
        thresholds: Of each class.
        target: The accuracy.
    """
    single = prediction_sets(probabilities, thresholds).sum(axis=1) == 1
    if not single.any():
        return 1.0
    weights = group_weights(groups)[single]
    scores = probabilities.max(axis=1)[single]
    right = (probabilities.argmax(axis=1) == labels)[single]
    order = np.argsort(-scores, kind="stable")
    accuracy = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    falling = scores[order]
    # Images of the same score are accepted together: only the last of them is a place to stop.
    is_last = np.append(falling[1:] < falling[:-1], True)
    enough = np.flatnonzero(is_last & (accuracy >= target - _ROUNDING))
    if not len(enough):
        return 1.0
    if enough[-1] == len(falling) - 1:
        return 0.0
    return math.floor(float(falling[enough[-1]]) * _DIGITS) / _DIGITS


def coverage(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    thresholds: Sequence[float],
) -> list[float | None]:
    """Return for each class in which share of its images it is in the set, each group counting as one; None without."""
    inside = prediction_sets(probabilities, thresholds)
    shares: list[float | None] = []
    for label in range(len(thresholds)):
        rows = np.flatnonzero(labels == label).tolist()
        weights = group_weights([groups[row] for row in rows])
        shares.append(float(weights @ inside[rows, label]) if len(rows) else None)
    return shares


def group_weights(groups: Sequence[str]) -> NDArray[np.float64]:
    """Return weights that add up to 1, the same for each group, shared by its images: (N,)."""
    sizes = Counter(groups)
    return np.array([1 / (len(sizes) * sizes[group]) for group in groups], dtype=np.float64)
