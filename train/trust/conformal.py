"""Prediction sets: how often they hold the true class, and how large they are.

A class c is in the set of an image if 1 - p_c is at most the class's threshold (class-conditional split conformal,
Vovk 2012, arXiv 1209.2673). Images of one patient are not exchangeable with those of another, so a threshold is fitted
with each patient group weighing the same: with K groups of a class it is the smallest score that at least
(1 - alpha)(K + 1)/K of the weight does not exceed. If K is too small for that, it is the largest score, which promises
K/(K + 1) only. ``export.trust`` fits the thresholds of a bundle by the same rule; a test compares the two.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.figures.shares import share
from train.metrics.figures import GroupBootstrap
from train.trust.shares import numbered, share_by_patient

__all__ = ["coverage_figures", "group_threshold", "resplit_figures", "set_size_figures", "shuffled"]

#: How often a part is divided anew.
RESPLITS = 1000
_ROUNDING = 1e-9
_EVERY = 1.0  # the threshold that leaves no class out, where there is no image to fit on

_Floats = NDArray[np.float64]
_Labels = NDArray[np.int64]


def group_threshold(scores: _Floats, groups: NDArray[np.int64], alpha: float) -> float:
    """Return the threshold of a class.

    Args:
        scores: (N,), 1 - p of the true class, of images of this class.
        groups: (N,), the number of each image's patient group.
        alpha: The share of groups' weight that may be left out.
    """
    if not len(scores):
        return _EVERY
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    count = len(sizes)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(1 / (count * sizes[places[order]]))
    level = (1 - alpha) * (count + 1) / count
    return float(scores[order][np.searchsorted(reached, min(level, reached[-1]) - _ROUNDING)])


def coverage_figures(
    in_set: NDArray[np.bool_],
    labels: _Labels,
    groups: Sequence[str],
    bootstrap: GroupBootstrap,
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Return how often the sets hold the true class: of each class, and of all, by image and by patient.

    Args:
        in_set: (N, classes), which classes are in the set of each image.
        labels: (N,), true class ids.
        groups: Patient group of each image.
        bootstrap: Of these images.
        classes: What is told apart.
    """
    covered = in_set[np.arange(len(labels)), labels]
    numbers = numbered(groups)
    figures = {}
    for name, among in _by_class(labels, classes).items():
        figures[name] = {
            "coverage": share(covered, among, bootstrap),
            "coverage_by_patient": share_by_patient(covered, among, groups, bootstrap),
            "groups": len(set(numbers[among].tolist())),
        }
    return figures


def set_size_figures(in_set: NDArray[np.bool_], bootstrap: GroupBootstrap) -> dict[str, Any]:
    """Return the mean size of the sets, and the shares of images with no, one and several classes."""
    sizes = in_set.sum(axis=1)
    everywhere = np.ones(len(sizes), dtype=np.bool_)
    return {
        "mean": asdict(bootstrap(lambda rows: float(sizes[rows].mean()))),
        "empty": share(sizes == 0, everywhere, bootstrap),
        "single": share(sizes == 1, everywhere, bootstrap),
        "several": share(sizes > 1, everywhere, bootstrap),
    }


def resplit_figures(
    probabilities: _Floats,
    labels: _Labels,
    groups: Sequence[str],
    thresholds: _Floats,
    alpha: float,
    *,
    seed: int = 0,
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Divide the patient groups into halves again and again, and try thresholds on the second half.

    Args:
        probabilities: (N, classes).
        labels: (N,), true class ids.
        groups: Patient group of each image.
        thresholds: (classes,), the bundle's own.
        alpha: The bundle's own.
        seed: Of the divisions.
        classes: What is told apart.

    Returns:
        ``count``; ``own``, the bundle's thresholds, and ``refitted``, those fitted on the first half: for each class
        and for ``all`` the coverage of the second half, and ``set_size``, each as mean, 5 % and 95 % of the
        divisions. ``too_few_groups`` is the share of divisions whose first half has too few groups of a class for
        1 - alpha, so that less is promised.
    """
    numbers = numbered(groups)
    last = int(numbers.max()) + 1
    least = math.ceil((1 - alpha) / alpha - _ROUNDING)
    generator = np.random.default_rng(seed)
    own, refitted, few = [], [], []
    for _ in range(RESPLITS):
        first_half = np.zeros(last, dtype=np.bool_)
        first_half[generator.permutation(last)[: last // 2]] = True
        fit, test = np.flatnonzero(first_half[numbers]), np.flatnonzero(~first_half[numbers])
        fitted = _thresholds(probabilities[fit], labels[fit], numbers[fit], alpha)
        own.append(_tried(probabilities[test], labels[test], thresholds, classes))
        refitted.append(_tried(probabilities[test], labels[test], fitted, classes))
        few.append(_groups_by_class(labels[fit], numbers[fit], len(classes)) < least)
    return {
        "count": RESPLITS,
        "own": _spread(own, classes),
        "refitted": _spread(refitted, classes),
        "too_few_groups": dict(zip(classes.names, map(float, np.mean(few, axis=0)), strict=True)),
    }


def shuffled(labels: _Labels, seed: int = 0) -> _Labels:
    """Return the labels in random order: coverage that they do not break was no coverage."""
    return np.random.default_rng(seed).permutation(labels)


def _thresholds(
    probabilities: _Floats, labels: _Labels, groups: NDArray[np.int64], alpha: float
) -> _Floats:
    found = []
    for label in range(probabilities.shape[1]):
        its = labels == label
        found.append(group_threshold(1 - probabilities[its, label], groups[its], alpha))
    return np.array(found)


def _groups_by_class(labels: _Labels, groups: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    return np.array([len(np.unique(groups[labels == label])) for label in range(classes)])


def _tried(
    probabilities: _Floats, labels: _Labels, thresholds: _Floats, classes: Classes
) -> _Floats:
    """Return the coverage of each class and of all, NaN where there is no image, and the mean size of the sets."""
    in_set = 1 - probabilities <= thresholds
    covered = in_set[np.arange(len(labels)), labels]
    shares = [
        float(covered[among].mean()) if among.any() else np.nan
        for among in _by_class(labels, classes).values()
    ]
    return np.array([*shares, in_set.sum(axis=1).mean()])


def _spread(divisions: list[_Floats], classes: Classes) -> dict[str, Any]:
    columns = np.stack(divisions).T
    names = (*classes.names, "all", "set_size")
    return {
        name: _percentiles(values[~np.isnan(values)])
        for name, values in zip(names, columns, strict=True)
    }


def _percentiles(values: _Floats) -> dict[str, float | None]:
    if not len(values):
        return {"mean": None, "low": None, "high": None}
    low, high = np.percentile(values, [5, 95])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def _by_class(labels: _Labels, classes: Classes) -> dict[str, NDArray[np.bool_]]:
    """Return which images belong to each class, and to all of them."""
    by_class = {name: labels == label for label, name in enumerate(classes.names)}
    return {**by_class, "all": np.ones(len(labels), dtype=np.bool_)}
