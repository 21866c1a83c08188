"""Whether a probability of 90 % is right nine times of ten: calibration error, Brier score, likelihood.

Obtaining well calibrated probabilities using Bayesian binning, Naeini, Cooper, Hauskrecht 2015; here with bins of equal
size rather than equal width, so that none is empty (adaptive; Nguyen and O'Connor 2015).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BINS",
    "brier_score",
    "calibration_noise",
    "confidence_bins",
    "expected_calibration_error",
    "negative_log_likelihood",
]

BINS = 15

_NOISE_DRAWS = 200
#: Below it, a probability counts as this one: a model that is sure and wrong is not infinitely wrong.
_LEAST_PROBABILITY = 1e-12


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
    return _bins(confidence, correct, bins)


def expected_calibration_error(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *, bins: int = BINS
) -> float:
    """Return the mean gap between confidence and accuracy over the bins, weighted by their size."""
    return _mean_gap(confidence_bins(labels, probabilities, bins=bins))


def calibration_noise(
    probabilities: NDArray[np.float64], *, bins: int = BINS, seed: int = 0
) -> float:
    """Return the calibration error that a perfectly calibrated model would show on so few images, on average.

    With few images in a bin, accuracy differs from confidence by chance: no error below this one means anything. Each
    answer is drawn right as often as its own probability says (Broecker and Smith 2007, consistency resampling).

    Args:
        probabilities: (N, classes).
        bins: As of the error it is compared with.
        seed: Of the draws.
    """
    confidence = probabilities.max(axis=1)
    generator = np.random.default_rng(seed)
    drawn = generator.random((_NOISE_DRAWS, len(confidence))) < confidence
    return float(np.mean([_mean_gap(_bins(confidence, correct, bins)) for correct in drawn]))


def brier_score(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the mean squared distance from the truth, summed over classes, 0 to 2 (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def negative_log_likelihood(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the mean of minus the logarithm of the true class' probability."""
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, _LEAST_PROBABILITY)).mean())


def _bins(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int
) -> list[tuple[int, float, float]]:
    parts = np.array_split(np.argsort(confidence), bins)
    return [
        (len(rows), float(confidence[rows].mean()), float(correct[rows].mean()))
        for rows in parts
        if len(rows)
    ]


def _mean_gap(binned: list[tuple[int, float, float]]) -> float:
    total = sum(n for n, _, _ in binned)
    return sum(n * abs(sure - right) for n, sure, right in binned) / total
