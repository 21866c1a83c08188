"""Temperature scaling: one number that makes probabilities match how often answers are right, and changes no answer.

On calibration of modern neural networks. Guo, Pleiss, Sun, Weinberger; 2017. https://arxiv.org/abs/1706.04599. Each
patient group has the same weight, as in ``export.trust.set_fit``: of a patient with sixty slices, all right, one would
otherwise learn sixty times that the model may be sure.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.figures.calibration import expected_calibration_error
from edge_infer.prediction import softmax
from export.trust.set_fit import group_weights

__all__ = ["fit_temperature", "temperature_fields"]

_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5.0), 321))
_NEUTRAL = 1 - 1e-9  # the middle of these, but for rounding


def fit_temperature(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], groups: Sequence[str]
) -> float:
    """Return the temperature of least negative log-likelihood, within 0.2..5 and to 1 %.

    If every answer is right, it is not below 1: the likelihood then grows for ever as the temperature falls, and images
    that are all right do not say how sure the model may be.

    Args:
        logits: (N, classes), of images that the model did not learn from.
        labels: (N,).
        groups: N patient groups.
    """
    rows, weights = np.arange(len(labels)), group_weights(groups)
    is_all_right = bool((logits.argmax(axis=1) == labels).all())
    candidates = _TEMPERATURES[_TEMPERATURES >= _NEUTRAL] if is_all_right else _TEMPERATURES
    losses = [
        -weights @ np.log(softmax(logits, float(t))[rows, labels] + 1e-12) for t in candidates
    ]
    return round(float(candidates[int(np.argmin(losses))]), 4)


def temperature_fields(
    logits: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    *,
    fitted_on: str,
) -> dict[str, Any]:
    """Fit the temperature.

    Args:
        logits: As for ``fit_temperature``.
        labels: As for ``fit_temperature``.
        groups: As for ``fit_temperature``.
        fitted_on: What the images are; their number is added.

    Returns:
        ``calibration`` of the manifest: the temperature, what it was fitted on, and the expected calibration error
        there before and after.
    """
    temperature = fit_temperature(logits, labels, groups)
    return {
        "temperature": temperature,
        "fitted_on": f"{fitted_on}, n {len(logits)}",
        "ece_before": round(expected_calibration_error(labels, softmax(logits)), 4),
        "ece_after": round(expected_calibration_error(labels, softmax(logits, temperature)), 4),
    }
