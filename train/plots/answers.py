"""What a model answered on one part: confusion, ROC, precision and recall, reliability."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from edge_infer.contract import LABELS
from train.metrics.calibration_error import confidence_bins, expected_calibration_error
from train.plots.canvas import CLASS_STYLES, new_figure, save_figure

__all__ = ["plot_confusion", "plot_precision_recall", "plot_reliability", "plot_roc"]

_SIZE = (4.8, 4.8)


def plot_confusion(metrics: dict[str, Any], title: str, path: Path) -> None:
    """Draw a confusion matrix with counts and row shares."""
    matrix = np.array(metrics["confusion_matrix"]["rows_true_columns_predicted"])
    names = metrics["confusion_matrix"]["labels"]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = new_figure(title, *_SIZE)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*matrix.shape):
        text = f"{matrix[row, column]}\n{100 * shares[row, column]:.0f} %"
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=10)
    axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="true")
    axes.set_xticklabels(names, fontsize=9)
    axes.set_yticklabels(names, fontsize=9, rotation=90, va="center")
    save_figure(figure, path)


def plot_roc(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], title: str, path: Path
) -> None:
    """Draw one-against-rest ROC curves of the classes that occur."""
    figure, axes = new_figure(title, *_SIZE)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for index, (name, (colour, line)) in enumerate(zip(LABELS, CLASS_STYLES, strict=True)):
        positive = labels == index
        if positive.all() or not positive.any():
            continue
        false_rate, true_rate, _ = roc_curve(positive, probabilities[:, index])
        area = roc_auc_score(positive, probabilities[:, index])
        label = f"{name} (AUC {area:.3f}, n {positive.sum()})"
        axes.plot(false_rate, true_rate, color=colour, linestyle=line, label=label)
    _unit_square(axes, "1 - specificity", "recall (sensitivity)", legend="lower right")
    save_figure(figure, path)


def plot_precision_recall(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], title: str, path: Path
) -> None:
    """Draw precision against recall of the classes that occur, each with its average precision."""
    figure, axes = new_figure(title, *_SIZE)
    for index, (name, (colour, line)) in enumerate(zip(LABELS, CLASS_STYLES, strict=True)):
        positive = labels == index
        if positive.all() or not positive.any():
            continue
        precision, recall, _ = precision_recall_curve(positive, probabilities[:, index])
        average = average_precision_score(positive, probabilities[:, index])
        label = f"{name} (AP {average:.3f}, n {positive.sum()})"
        axes.plot(
            recall, precision, color=colour, linestyle=line, label=label, drawstyle="steps-post"
        )
    _unit_square(axes, "recall (sensitivity)", "precision", legend="lower left")
    save_figure(figure, path)


def plot_reliability(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], title: str, path: Path
) -> None:
    """Draw accuracy against confidence in ten bins of equal size, and the expected calibration error."""
    binned = confidence_bins(labels, probabilities, bins=10)
    error = expected_calibration_error(labels, probabilities, bins=10)
    figure, axes = new_figure(title, *_SIZE)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    axes.plot(
        [sure for _, sure, _ in binned],
        [right for _, _, right in binned],
        color=CLASS_STYLES[0][0],
        marker="o",
        label=f"ECE {error:.3f}, n {len(labels)}",
    )
    _unit_square(axes, "mean confidence of the bin", "accuracy of the bin", legend="upper left")
    save_figure(figure, path)


def _unit_square(axes: Any, across: str, up: str, *, legend: str) -> None:
    axes.set(xlabel=across, ylabel=up, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set_aspect("equal")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc=legend, frameon=True, framealpha=0.8, edgecolor="none", fontsize=9)
