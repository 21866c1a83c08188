"""Whether a classifier can tell a window's embeddings from the reference's: the classifier two-sample test.

Lopez-Paz and Oquab 2017 (https://arxiv.org/abs/1610.06545). The classifier is a ridge regression on the coordinates and
their squares, so that it sees shifts and spreads. Each image is judged by a classifier that has not seen it, in closed
form (Allen's PRESS, 1974), which makes it cheap to shuffle who is of the window and see what chance gives.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edge_infer.drift.chances import normal_tail
from edge_infer.drift.distances import Distance
from edge_infer.figures.intervals import Z_95

__all__ = ["MOST_POINTS", "tell_apart"]

#: Of a window; more make it slower, and hardly surer, since the reference has 256 at most.
MOST_POINTS = 2000

_SHUFFLES = 99
_RIDGE = 10.0

_Floats = NDArray[np.float64]


def tell_apart(
    reference: _Floats, effective_n: float, window: _Floats, *, seed: int = 0
) -> Distance:
    """Return by how much the area under the ROC curve is above what chance gives, -0.5 to 0.5.

    Args:
        reference: (M, dims).
        effective_n: How many independent images it is worth: a smaller number makes the test less sure.
        window: (N, dims); of more than ``MOST_POINTS``, some are drawn.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    if len(window) > MOST_POINTS:
        window = window[np.sort(generator.permutation(len(window))[:MOST_POINTS])]
    m, n = len(reference), len(window)
    features = _features(np.concatenate([reference, window]))
    is_window = np.arange(m + n) >= m
    shuffled = generator.permuted(np.tile(is_window, (_SHUFFLES, 1)), axis=1)
    areas = _areas(features, np.concatenate([is_window[None], shuffled]).T)  # (1 + shuffles,)
    chance, spread = float(areas[1:].mean()), float(areas[1:].std(ddof=1))
    # Dependent images of the reference make its part of the variance larger.
    wider = math.sqrt((1 / n + 1 / effective_n) / (1 / n + 1 / m))
    value = float(areas[0]) - chance
    half = Z_95 * wider * _standard_error(float(np.clip(0.5 + value, 0, 1)), n, m)
    return Distance(
        value=value,
        low=max(-0.5, value - half),
        high=min(0.5, value + half),
        p=normal_tail(value / max(spread * wider, 1e-12)),
        by_chance=0.0,
    )


def _features(points: _Floats) -> _Floats:
    spread = points.std(axis=0)
    scaled = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    both = np.concatenate([scaled, scaled**2], axis=1)
    return np.asarray(both - both.mean(axis=0))


def _areas(features: _Floats, labels: NDArray[np.bool_]) -> _Floats:
    """Return the area for each column of labels, every image judged without itself.

    Args:
        features: (N, P), of mean 0.
        labels: (N, K).
    """
    count = len(features)
    solved = np.linalg.solve(
        features.T @ features + _RIDGE * np.eye(features.shape[1]), features.T
    )  # (P, N)
    own = np.einsum("np,pn->n", features, solved) + 1 / count  # the hat matrix's diagonal
    wanted = labels * 1.0
    given = features @ (solved @ wanted) + wanted.mean(axis=0)
    judged = wanted - (wanted - given) / (1 - own)[:, None]  # (N, K)
    ranks = np.empty_like(judged)
    np.put_along_axis(ranks, np.argsort(judged, axis=0), np.arange(1.0, count + 1)[:, None], axis=0)
    positives = labels.sum(axis=0)
    sums = (ranks * labels).sum(axis=0) - positives * (positives + 1) / 2
    return np.asarray(sums / (positives * (count - positives)))


def _standard_error(area: float, n: int, m: int) -> float:
    """Return that of an area under the curve (Hanley and McNeil 1982)."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n - 1) * (first - area**2) + (m - 1) * (second - area**2)
    return math.sqrt(max(variance, 0.0) / (n * m))
