"""Whether a probability of 90 % is right nine times of ten."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.figures.calibration import (
    BINS,
    brier_score,
    confidence_bins,
    expected_calibration_error,
)
from train.metrics.figures import GroupBootstrap

__all__ = ["calibration_figures"]


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
