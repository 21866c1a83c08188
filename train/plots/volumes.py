"""Slices with and without a tumour: the answers along each volume, and ROC curves of a source."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from train.plots.canvas import RUN_STYLES, new_figure, save_figure

__all__ = ["VolumeCurve", "plot_separation", "plot_volumes"]

_COLUMNS = 4
_TUMOUR, _WITHOUT, _LINE = "#c8553d", "#1b6ca8", "0.72"
_CUE_LINES = (
    (0, (5, 2)),
    (0, (1, 1.5)),
    (0, (4, 1.5, 1, 1.5)),
    (0, (7, 2, 1, 2, 1, 2)),
    (0, (2, 1)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCurve:
    """One volume to draw.

    Attributes:
        name: Its name.
        positions: (N,), numbers of its slices, ascending.
        tumour: (N,), whether a slice shows one.
        probabilities: (N,), of any tumour.
        area: Area under the ROC curve of its slices.
    """

    name: str
    positions: NDArray[np.int64]
    tumour: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    area: float


def plot_volumes(curves: Sequence[VolumeCurve], title: str, path: Path) -> None:
    """Draw a panel for each volume: the probability of a tumour from slice to slice, the tumour's slices marked.

    Args:
        curves: At least one volume.
        title: Names model and data.
        path: PNG to write.
    """
    lines = math.ceil(len(curves) / _COLUMNS)
    figure, axes = new_figure(title, 10.0, 1.35 * lines + 1.3)
    axes.remove()
    panels = figure.subplots(lines, min(_COLUMNS, len(curves)), sharey=True, squeeze=False).reshape(
        -1
    )
    for panel in panels[len(curves) :]:
        panel.set_visible(False)
    for panel, curve in zip(panels, curves, strict=False):
        _shade(panel, curve)
        panel.plot(*_with_gaps(curve), color=_LINE, linewidth=1, zorder=1)
        for kind, colour, marker, name in (
            (curve.tumour, _TUMOUR, "o", "slice with tumour"),
            (~curve.tumour, _WITHOUT, "s", "slice without"),
        ):
            panel.scatter(
                curve.positions[kind],
                curve.probabilities[kind],
                s=16,
                marker=marker,
                color=colour if marker == "o" else "white",
                edgecolors=colour,
                linewidths=1.1,
                label=name,
                zorder=2,
            )
        panel.set_title(
            f"{curve.name}   AUROC {curve.area:.2f}", fontsize=7.5, parse_math=False, pad=3
        )
        panel.set_ylim(-0.06, 1.06)
        panel.set_yticks([0, 0.5, 1])
        panel.tick_params(labelsize=7)
        panel.grid(axis="y", color="0.92", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("number of the slice", fontsize=8.5)
    figure.supylabel("1 - p(no_tumor)", fontsize=8.5)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    save_figure(figure, path)


def _with_gaps(curve: VolumeCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of the line, which stops where slices are missing."""
    gaps = np.flatnonzero(np.diff(curve.positions) > 1) + 1
    return (
        np.insert(curve.positions.astype(np.float64), gaps, np.nan),
        np.insert(curve.probabilities, gaps, np.nan),
    )


def _shade(panel: Any, curve: VolumeCurve) -> None:
    """Shade where the tumour is: half a slice to each side of every slice that shows it."""
    for position in curve.positions[curve.tumour]:
        panel.axvspan(position - 0.5, position + 0.5, color=_TUMOUR, alpha=0.12, linewidth=0)


def plot_separation(
    sources: Mapping[str, tuple[NDArray[np.bool_], Mapping[str, NDArray[np.float64]]]],
    title: str,
    path: Path,
) -> None:
    """Draw a panel of ROC curves for each source: tumour against none, by the model and by each cue.

    Args:
        sources: By name: which slices show a tumour, (N,), and the scores to draw, (N,) each, the model's first. Both
            kinds of slices occur.
        title: Names model and data.
        path: PNG to write.
    """
    columns = min(len(sources), 3)
    lines = math.ceil(len(sources) / columns)
    figure, axes = new_figure(title, 4.1 * columns + 0.4, 4.4 * lines + 0.5)
    axes.remove()
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for panel in panels[len(sources) :]:
        panel.set_visible(False)
    names = dict.fromkeys(who for _, scores in sources.values() for who in scores)
    styles = {who: _style(number) for number, who in enumerate(names)}  # the same in every panel
    for panel, (name, (tumour, scores)) in zip(panels, sources.items(), strict=False):
        panel.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        for who, its in scores.items():
            false_rate, true_rate, _ = roc_curve(tumour, its)
            label = f"{who}, {roc_auc_score(tumour, its):.3f}"
            panel.plot(false_rate, true_rate, label=label, **styles[who])
        n = f"n {int(tumour.sum())} with, {int((~tumour).sum())} without"
        panel.set_title(f"{name}, {n}", fontsize=9, parse_math=False)
        panel.set(xlabel="1 - specificity", ylabel="sensitivity")
        panel.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        legend = {"fontsize": 7, "title_fontsize": 7, "framealpha": 0.85, "edgecolor": "none"}
        panel.legend(loc="lower right", title="score, AUROC", **legend)
    save_figure(figure, path)


def _style(number: int) -> dict[str, Any]:
    """Return how a score is drawn: the first, the model's, in a thick line."""
    colour = RUN_STYLES[number % len(RUN_STYLES)][0]
    if number == 0:
        return {"color": colour, "linewidth": 2.2, "zorder": 3}
    dashes = _CUE_LINES[(number - 1) % len(_CUE_LINES)]
    return {"color": colour, "linewidth": 1.2, "linestyle": dashes}
