"""Whether a probability of 90 % is right nine times of ten."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.metrics.calibration_error import confidence_bins, expected_calibration_error
from train.metrics.figures import GroupBootstrap

__all__ = ["BINS", "brier_score", "calibration_figures"]

#: Of equal size, so that none is empty (adaptive; Nguyen and O'Connor 2015).
BINS = 15


def brier_score(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the mean squared distance from the truth, summed over classes, 0 to 2 (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def calibration_figures(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], bootstrap: GroupBootstrap
) -> dict[str, Any]:
    """Compute calibration error and Brier score, and the bins of the reliability diagram.

    The bootstrap draws images twice, which makes bins less smooth: its interval of the calibration error lies too
    high rather than too low.

    Args:
        labels: (N,), true class ids.
        probabilities: (N, classes).
        bootstrap: Of these images.
    """
    return {
        "ece": asdict(
            bootstrap(
                lambda rows: expected_calibration_error(
                    labels[rows], probabilities[rows], bins=BINS
                )
            )
        ),
        "brier": asdict(bootstrap(lambda rows: brier_score(labels[rows], probabilities[rows]))),
        "bins": [
            {"n": n, "confidence": sure, "accuracy": right}
            for n, sure, right in confidence_bins(labels, probabilities, bins=BINS)
        ],
    }
