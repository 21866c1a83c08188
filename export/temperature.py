"""Temperature scaling: one number that makes probabilities mean what they say, without changing any answer.

On calibration of modern neural networks. Guo, Pleiss, Sun, Weinberger; 2017. https://arxiv.org/abs/1706.04599.
Fitted on the logits of the very graph that ships, so INT8 gets its own.
"""

import numpy as np
from numpy.typing import NDArray

from edge_infer.prediction import softmax

__all__ = ["fit_temperature"]

_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5.0), 321))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature of least negative log-likelihood, within 0.2..5 and to 1 %.

    Args:
        logits: (N, classes), of validation images.
        labels: (N,).
    """
    rows = np.arange(len(labels))
    losses = [
        -np.log(softmax(logits, float(t))[rows, labels] + 1e-12).mean() for t in _TEMPERATURES
    ]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)
