"""How well one score tells slices with a tumour from those without: areas and working points of a ROC curve."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "area", "false_alarms_at", "roc", "sensitivity_at"]

Floats = NDArray[np.float64]

#: 90 % of 10 slices are 9, though 0.9 * 10 is slightly less in binary.
_ROUNDING = 1e-9


def roc(tumour: NDArray[np.bool_], scores: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ROC curve in counts, from the strictest threshold, where nothing is called a tumour, to the loosest.

    Equal scores fall on one side of every threshold, so they are one step of the curve.

    Args:
        tumour: (N,), whether a slice shows one.
        scores: (N,), higher for a tumour.

    Returns:
        False alarms and tumours found at each threshold, each (thresholds + 1,).
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(tumour[order])
    alarms = np.arange(1, len(order) + 1) - found
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    return np.append(0, alarms[ends]), np.append(0, found[ends])


def area(tumour: NDArray[np.bool_], scores: Floats) -> float | None:
    """Return the area under the ROC curve: how often a tumour scores above a slice without, ties counting half.

    None if only one of the two occurs.
    """
    alarms, found = roc(tumour, scores)
    if not (alarms[-1] and found[-1]):
        return None
    return float(np.trapezoid(found, alarms) / (found[-1] * alarms[-1]))


def sensitivity_at(specificity: float, tumour: NDArray[np.bool_], scores: Floats) -> float | None:
    """Return the largest share of tumours found by a threshold that has at least this specificity."""
    alarms, found = roc(tumour, scores)
    if not (alarms[-1] and found[-1]):
        return None
    allowed = math.floor((1 - specificity) * alarms[-1] + _ROUNDING)
    return float(found[alarms <= allowed].max() / found[-1])


def false_alarms_at(sensitivity: float, tumour: NDArray[np.bool_], scores: Floats) -> float | None:
    """Return the smallest share of false alarms of a threshold that finds at least this share of tumours."""
    alarms, found = roc(tumour, scores)
    if not (alarms[-1] and found[-1]):
        return None
    needed = math.ceil(sensitivity * found[-1] - _ROUNDING)
    return float(alarms[found >= needed].min() / alarms[-1])
