"""Temperature scaling: one number that makes probabilities match how often answers are right, and changes no answer.

On calibration of modern neural networks. Guo, Pleiss, Sun, Weinberger; 2017. https://arxiv.org/abs/1706.04599.
Fitted on the logits of the very graph that ships, so INT8 gets its own.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_infer.prediction import softmax
from export.answers import logits_one_by_one
from export.int8.calibration import ExportImages
from export.sessions import open_graph
from train.metrics.calibration_error import expected_calibration_error

__all__ = ["fit_temperature", "temperature_of"]

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


def temperature_of(graph: onnx.ModelProto, images: ExportImages | None) -> dict[str, Any]:
    """Fit the temperature on real validation images; phantoms would give a wrong one.

    Args:
        graph: That ships.
        images: Of which ``gate`` and ``gate_labels`` are used; None for no images.

    Returns:
        ``calibration`` of the manifest: the temperature, what it was fitted on, and the expected calibration error
        before and after.
    """
    if images is None or images.synthetic:
        return {"temperature": 1.0, "fitted_on": "nothing, probabilities are as trained"}
    logits = logits_one_by_one(open_graph(graph), images.gate)
    labels = images.gate_labels
    temperature = fit_temperature(logits, labels)
    return {
        "temperature": temperature,
        "fitted_on": f"validation part of {images.source}, n {len(logits)}",
        "ece_before": round(expected_calibration_error(labels, softmax(logits)), 4),
        "ece_after": round(expected_calibration_error(labels, softmax(logits, temperature)), 4),
    }
