"""The robustness table in colours, and the accuracy without cues."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from train.corruption.neutralised import NEUTRALISED
from train.metrics.missed import missed_in
from train.plots.canvas import CLASS_STYLES, new_figure, save_figure

__all__ = ["plot_neutralised", "plot_robustness"]

_ACCURACY = ("accuracy", "accuracy, %", "viridis", 0.25, 1.0)
_CLEAN = "clean"


def plot_robustness(table: Mapping[str, Any], path: Path) -> None:
    """Draw kinds against severities, each cell with its value and interval.

    Args:
        table: A finished table of ``train.robustness.table``.
        path: PNG to write.
    """
    cells = [cell for cell in table["cells"] if cell["severity"] or cell["kind"] == _CLEAN]
    kinds = list(dict.fromkeys(cell["kind"] for cell in cells))
    severities = max(cell["severity"] for cell in cells)
    title = f"{table['title']}: corruptions, 95 % intervals"
    drawn = _panels(table)
    figure, axes = new_figure(title, 5.5 * len(drawn), 0.42 * len(kinds) + 1.3)
    axes.remove()
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    for panel, (name, heading, colours, least, most) in zip(panels, drawn, strict=True):
        values = np.full((len(kinds), severities), np.nan)
        for cell in cells:
            its = cell["figures"]["model"][name]
            row, column = kinds.index(cell["kind"]), max(cell["severity"], 1) - 1
            if its["value"] is not None:
                values[row, column] = its["value"]
                _write(panel, row, column, its, dark=_is_dark(its["value"], colours, least, most))
        panel.imshow(values, cmap=colours, vmin=least, vmax=most, aspect="auto")
        n = cells[0]["figures"]["model"][name]["n"]
        panel.set_title(f"{heading}, n {n} a cell", fontsize=10)
        panel.set_xticks(range(severities), [str(it + 1) for it in range(severities)])
        panel.set_xlabel("severity")
        panel.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
    save_figure(figure, path)


def plot_neutralised(table: Mapping[str, Any], path: Path) -> None:
    """Draw the accuracy without each cue, of the model and of the baselines, with intervals.

    Args:
        table: A finished table of ``train.robustness.table``.
        path: PNG to write.
    """
    kinds = (_CLEAN, *NEUTRALISED)
    cells = {cell["kind"]: cell for cell in table["cells"] if not cell["severity"]}
    title = f"{table['title']}: without a cue, 95 % intervals"
    figure, axes = new_figure(title, 6.4, 3.6)
    people = list(cells[_CLEAN]["figures"])
    for number, who in enumerate(people):
        its = [cells[kind]["figures"][who]["accuracy"] for kind in kinds]
        values = np.array([100 * it["value"] for it in its])
        ends = np.array([[100 * it["low"], 100 * it["high"]] for it in its]).T
        places = np.arange(len(kinds)) + 0.16 * (number - (len(people) - 1) / 2)
        colour, _ = CLASS_STYLES[number]
        axes.errorbar(
            places,
            values,
            yerr=np.maximum(np.abs(ends - values), 0),
            fmt="os"[number % 2],
            color=colour,
            capsize=3,
            label=who.replace("_", " "),
        )
        for place, value in zip(places, values, strict=True):
            side = {"ha": "right", "xytext": (-5, 0)} if number == 0 else {"xytext": (5, 0)}
            beside = {**side, "textcoords": "offset points", "va": "center"}
            axes.annotate(f"{value:.1f}", (place, value), fontsize=7, color=colour, **beside)
    if "image_size" in table["baselines"]:
        value = 100 * table["baselines"]["image_size"]["accuracy"]["value"]
        axes.axhline(value, color="0.5", linestyle=":", label=f"image size alone, {value:.1f} %")
    names = ["unchanged", *("no cue" if it == "all" else f"no {it}" for it in NEUTRALISED)]
    axes.set_xticks(range(len(kinds)), names, fontsize=9)
    axes.set_xlim(-0.5, len(kinds) - 0.4)
    axes.set_ylim(0, 100)
    axes.set_ylabel(f"accuracy, %, n {table['n']}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    save_figure(figure, path)


def _panels(table: Mapping[str, Any]) -> list[tuple[str, str, str, float, float]]:
    """Return of each panel the figure, the heading, the colour map and the ends of the colour scale."""
    key, words = missed_in(table) or ("", "")
    return [_ACCURACY, *([(key, f"{words}, %", "magma_r", 0.0, 0.3)] if key else [])]


def _is_dark(value: float, colours: str, least: float, most: float) -> bool:
    """Whether a cell needs white text: viridis begins dark, reversed magma ends dark."""
    place = (value - least) / (most - least)
    return place > 0.55 if colours.endswith("_r") else place < 0.55


def _write(panel: Any, row: int, column: int, figure: Mapping[str, Any], *, dark: bool) -> None:
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    colour = "white" if dark else "black"
    centred = {"ha": "center", "color": colour}
    panel.text(column, row - 0.02, f"{value:.1f}", va="bottom", fontsize=8, **centred)
    panel.text(column, row + 0.06, f"{low:.0f}..{high:.0f}", va="top", fontsize=5.5, **centred)
