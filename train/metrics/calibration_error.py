"""How far confidence is from accuracy.

Obtaining well calibrated probabilities using Bayesian binning, Naeini, Cooper, Hauskrecht 2015; here with bins of equal
size rather than equal width, so that none is empty.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["confidence_bins", "expected_calibration_error"]


def confidence_bins(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *, bins: int
) -> list[tuple[int, float, float]]:
    """Sort images by confidence into bins of equal size.

    Args:
        labels: (N,), true class ids.
        probabilities: (N, classes).
        bins: How many, at most.

    Returns:
        For each bin: number of images, mean confidence, accuracy.
    """
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    parts = np.array_split(np.argsort(confidence), bins)
    return [
        (len(rows), float(confidence[rows].mean()), float(correct[rows].mean()))
        for rows in parts
        if len(rows)
    ]


def expected_calibration_error(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *, bins: int = 15
) -> float:
    """Return the mean gap between confidence and accuracy over the bins, weighted by their size."""
    gaps = [
        n * abs(sure - right)
        for n, sure, right in confidence_bins(labels, probabilities, bins=bins)
    ]
    return sum(gaps) / len(labels)
