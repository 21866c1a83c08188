"""The pictures of an evaluation and of a run, as PNG."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from train.calibration_error import confidence_bins, expected_calibration_error

__all__ = ["plot_confusion", "plot_curve", "plot_reliability", "plot_roc"]

mpl.use("Agg", force=False)
_COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94")


def plot_confusion(metrics: dict[str, Any], title: str, path: Path) -> None:
    """Draw a confusion matrix with counts and row shares."""
    matrix = np.array(metrics["confusion_matrix"]["rows_true_columns_predicted"])
    names = metrics["confusion_matrix"]["labels"]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(title, 5.6, 5.2)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*matrix.shape):
        text = f"{matrix[row, column]}\n{100 * shares[row, column]:.0f} %"
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=10)
    axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="true")
    axes.set_xticklabels(names)
    axes.set_yticklabels(names)
    _save(figure, path)


def plot_roc(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], title: str, path: Path
) -> None:
    """Draw one-against-rest ROC curves of the classes that occur."""
    figure, axes = _figure(title, 5.6, 5.2)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for index, name in enumerate(LABELS):
        positive = labels == index
        if positive.all() or not positive.any():
            continue
        false_rate, true_rate, _ = roc_curve(positive, probabilities[:, index])
        area = roc_auc_score(positive, probabilities[:, index])
        label = f"{name} (AUC {area:.3f}, n {positive.sum()})"
        axes.plot(false_rate, true_rate, color=_COLOURS[index], label=label)
    axes.set(xlabel="1 - specificity", ylabel="recall", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower right", frameon=False)
    _save(figure, path)


def plot_reliability(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], title: str, path: Path
) -> None:
    """Draw accuracy against confidence in ten bins of equal size, and the expected calibration error."""
    binned = confidence_bins(labels, probabilities, bins=10)
    error = expected_calibration_error(labels, probabilities, bins=10)
    figure, axes = _figure(title, 5.6, 5.2)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    axes.plot(
        [sure for _, sure, _ in binned],
        [right for _, _, right in binned],
        color=_COLOURS[0],
        marker="o",
        label=f"ECE {error:.3f}, n {len(labels)}",
    )
    axes.set(
        xlabel="mean confidence of the bin",
        ylabel="accuracy of the bin",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    axes.set_aspect("equal")
    axes.legend(loc="upper left", frameon=False)
    _save(figure, path)


def plot_curve(history: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """Draw training loss and validation accuracy over the epochs."""
    figure, axes = _figure(title, 6.4, 4.0)
    losses = [(entry["epoch"], entry["loss"]) for entry in history if "loss" in entry]
    accuracies = [
        (entry["epoch"], 100 * entry["eval_accuracy"])
        for entry in history
        if "eval_accuracy" in entry
    ]
    axes.plot(*zip(*losses, strict=True), color="0.55")
    axes.set(xlabel="epoch", ylabel="training loss (grey)")
    right = axes.twinx()
    right.plot(*zip(*accuracies, strict=True), color=_COLOURS[0], marker="o", markersize=3)
    right.set_ylabel("validation accuracy, % (blue)", color=_COLOURS[0])
    right.set_ylim(0, 100)
    _save(figure, path)


def _figure(title: str, width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    figure.text(0.995, 0.002, RESEARCH_USE_ONLY, ha="right", va="bottom", fontsize=5, color="0.5")
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write_bytes_atomically(path, buffer.getvalue())
