"""Curves of training by epoch: of one run, and of several side by side."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from train.plots.canvas import CLASS_STYLES, RUN_STYLES, new_figure, save_figure
from train.plots.history import class_history

__all__ = ["RunCurves", "plot_curve", "plot_epochs"]

#: Key in the history, its title, factor.
_PANELS = (
    ("loss", "training loss", 1),
    ("eval_loss", "validation loss", 1),
    ("eval_accuracy", "validation accuracy, %", 100),
)
_PRETRAINING = ("loss", "training loss of the phases before the classifier", 1)
_PANEL_HEIGHT = 2.5

#: When the colours are used up, they repeat with another line style.
_LINES = ("-", "--", ":")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCurves:
    """The history of one run, divided for drawing.

    Attributes:
        name: For the legend.
        classifying: Entries of the phases in which the classifier learns.
        pretraining: Entries of the phases before, without a validation accuracy.
    """

    name: str
    classifying: tuple[Mapping[str, Any], ...]
    pretraining: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, name: str, history: Sequence[dict[str, Any]]) -> "RunCurves":
        """Divide a history of training.json; its entries may lack ``phase``."""
        validated = {entry.get("phase") for entry in history if "eval_accuracy" in entry}
        before = [entry for entry in history if entry.get("phase") not in validated]
        return cls(
            name=name,
            classifying=tuple(class_history(history)),
            pretraining=tuple(_counted_on(before)),
        )

    @property
    def epochs(self) -> int:
        """Epochs in which the classifier learnt."""
        return round(max((entry["epoch"] for entry in self.classifying), default=0))

    @property
    def best(self) -> tuple[float, float] | None:
        """Epoch and accuracy of the best validation, the first if several are equal: the one kept."""
        points = _points(self.classifying, "eval_accuracy")
        return max(points, key=lambda point: (point[1], -point[0]), default=None)


def plot_curve(history: Sequence[Mapping[str, Any]], title: str, path: Path) -> None:
    """Draw training loss and validation accuracy over the epochs of one run."""
    figure, axes = new_figure(title, 6.0, 3.8)
    axes.plot(*_columns(_points(history, "loss")), color="0.55")
    axes.set(xlabel="epoch", ylabel="training loss (grey)")
    right = axes.twinx()
    points = _points(history, "eval_accuracy", factor=100)
    right.plot(*_columns(points), color=CLASS_STYLES[0][0], marker="o", markersize=3)
    right.set_ylabel("validation accuracy, % (blue)", color=CLASS_STYLES[0][0])
    right.set_ylim(0, 100)
    save_figure(figure, path)


def plot_epochs(runs: Sequence[RunCurves], path: Path) -> None:
    """Draw losses and validation accuracy of all runs in panels below each other.

    A run keeps its colour, marker and line in all panels; a ring marks its best epoch. Phases before the classifier,
    such as an autoencoder's, have another loss and therefore their own panel.
    """
    panels = [(panel, [run.classifying for run in runs]) for panel in _PANELS]
    if any(run.pretraining for run in runs):
        panels.append((_PRETRAINING, [run.pretraining for run in runs]))
    rows_of_legend = len(runs) if len(runs) <= 3 else (len(runs) + 1) // 2
    height = _PANEL_HEIGHT * len(panels) + 0.25 * rows_of_legend + 0.3
    figure, all_axes = new_figure("", 5.2, height, panels=len(panels))
    for axes, ((key, title, factor), entries_of_runs) in zip(all_axes, panels, strict=True):
        for number, (run, entries) in enumerate(zip(runs, entries_of_runs, strict=True)):
            around, kind = divmod(number, len(RUN_STYLES))
            colour, marker = RUN_STYLES[kind]
            points = _points(entries, key, factor=factor)
            style = {"color": colour, "marker": marker, "markersize": 3.5, "linewidth": 1.4}
            style["linestyle"] = _LINES[around % len(_LINES)]
            axes.plot(*_columns(points), label=run.name.replace("$", r"\$"), **style)
            if key == "eval_accuracy" and run.best is not None:
                epoch, value = run.best
                ring = {"markerfacecolor": "none", "markeredgecolor": colour, "markersize": 11}
                axes.plot([epoch], [factor * value], marker="o", **ring)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not axes.has_data() or not any(_points(part, key) for part in entries_of_runs):
            axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color="0.4")
    handles, names = all_axes[0].get_legend_handles_labels()
    columns = 1 if len(runs) <= 3 else 2
    figure.legend(handles, names, loc="outside upper center", ncols=columns, fontsize=9)
    save_figure(figure, path)


def _counted_on(entries: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Number the epochs of all phases continuously."""
    offset, last, phase = 0.0, 0.0, None
    for entry in entries:
        if entry.get("phase") != phase:
            offset, phase = last, entry.get("phase")
        last = offset + entry["epoch"]
        yield {**entry, "epoch": last}


def _points(
    entries: Iterable[Mapping[str, Any]], key: str, *, factor: float = 1
) -> list[tuple[float, float]]:
    return [
        (entry["epoch"], factor * entry[key]) for entry in entries if entry.get(key) is not None
    ]


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
