"""What a model answered on one part: confusion, ROC, precision and recall, reliability."""

from collections.abc import Callable, Mapping, Sequence
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

from edge_infer.figures.calibration import confidence_bins, expected_calibration_error
from train.plots.canvas import CLASS_STYLES, class_style, drawn_name, new_figure, save_figure

__all__ = ["plot_confusion", "plot_precision_recall", "plot_reliability", "plot_roc"]

_SIZE = (4.8, 4.8)

#: Up to how many classes a confusion matrix has the usual size, and shares beside the counts.
_FEW = 5
_CELL, _LARGEST = 0.42, 24.0  # inches of a cell and of the figure
_LONG = 14  # letters of a name that would overlap the next one
#: Classes that a legend has room for.
_NAMED = 10


def plot_confusion(metrics: dict[str, Any], title: str, path: Path) -> None:
    """Draw a confusion matrix with counts and row shares; of many classes, larger and with counts alone."""
    matrix = np.array(metrics["confusion_matrix"]["rows_true_columns_predicted"])
    names = [drawn_name(name) for name in metrics["confusion_matrix"]["labels"]]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    few = len(names) <= _FEW
    side = _SIZE[0] if few else min(1.2 + _CELL * len(names), _LARGEST)
    figure, axes = new_figure(title, side, side)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    letters = 10 if few else max(4, min(9, 80 * side / len(names) ** 1.1 / _SIZE[0]))
    for row, column in np.ndindex(*matrix.shape):
        share = f"\n{100 * shares[row, column]:.0f} %" if few else ""
        if not few and not matrix[row, column]:
            continue
        colour = "white" if shares[row, column] > 0.55 else "black"
        text = f"{matrix[row, column]}{share}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=letters)
    axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="true")
    long = max(map(len, names)) > _LONG
    axes.set_xticklabels(
        names, fontsize=min(9, letters + 1), rotation=0 if few and not long else 90
    )
    upright = {"rotation": 90} if few and not long else {}
    axes.set_yticklabels(names, fontsize=min(9, letters + 1), va="center", **upright)
    save_figure(figure, path)


def plot_roc(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw one-against-rest ROC curves of the classes that occur; of many, the lowest areas are named."""
    figure, axes = new_figure(title, *_SIZE)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    areas = _each(labels, probabilities, roc_auc_score)
    named = _named(areas)
    for index, area in areas.items():
        positive = labels == index
        false_rate, true_rate, _ = roc_curve(positive, probabilities[:, index])
        label = f"{drawn_name(classes[index])} (AUC {area:.3f}, n {positive.sum()})"
        axes.plot(false_rate, true_rate, **_look(index, label, named))
    _unit_square(axes, "1 - specificity", "recall (sensitivity)", legend="lower right")
    save_figure(figure, path)


def plot_precision_recall(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw precision against recall of the classes that occur, each with its average precision, as in ``plot_roc``."""
    figure, axes = new_figure(title, *_SIZE)
    averages = _each(labels, probabilities, average_precision_score)
    named = _named(averages)
    for index, average in averages.items():
        positive = labels == index
        precision, recall, _ = precision_recall_curve(positive, probabilities[:, index])
        label = f"{drawn_name(classes[index])} (AP {average:.3f}, n {positive.sum()})"
        axes.plot(recall, precision, drawstyle="steps-post", **_look(index, label, named))
    _unit_square(axes, "recall (sensitivity)", "precision", legend="lower left")
    save_figure(figure, path)


def _each(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], area: Callable[..., Any]
) -> dict[int, float]:
    """Return the area below the curve of each class that has one: some images are of it, some are not."""
    found = {}
    for index in range(probabilities.shape[1]):
        positive = labels == index
        if positive.any() and not positive.all():
            found[index] = float(area(positive, probabilities[:, index]))
    return found


def _named(areas: Mapping[int, float]) -> set[int]:
    """Choose the classes that a legend has room for: those with the least area."""
    return set(sorted(areas, key=areas.__getitem__)[:_NAMED])


def _look(index: int, label: str, named: set[int]) -> dict[str, Any]:
    colour, line = class_style(index)
    if index in named:
        return {"color": colour, "linestyle": line, "label": label}
    return {"color": colour, "linestyle": line, "linewidth": 0.6, "alpha": 0.5}


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
