"""What all plots share: font sizes, colours, the research-use notice, how they are saved."""

import io
import textwrap
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["CLASS_STYLES", "RUN_STYLES", "class_style", "drawn_name", "new_figure", "save_figure"]

mpl.use("Agg", force=False)

#: Colour and line of each class, in class order: distinct without colour too.
CLASS_STYLES = (("#1b6ca8", "-"), ("#c8553d", "--"), ("#3a7d44", "-."), ("#7b4b94", ":"))

#: Colours of further classes; with the lines above they give 40 different pairs.
_MORE_COLOURS = ("#e69f00", "#17808f", "#a05070", "#6b6b00", "#56b4e9", "#222222")
_LONGEST_NAME = 24

#: Colour and marker of runs: Okabe and Ito's colours, safe for the colour-blind, and markers distinct without colour.
RUN_STYLES = (
    ("#0072b2", "o"),
    ("#d55e00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "D"),
    ("#000000", "v"),
    ("#e69f00", "P"),
    ("#56b4e9", "X"),
)

_DPI = 150
_LETTERS_PER_INCH = 13


def class_style(index: int) -> tuple[str, str]:
    """Return colour and line of a class; from the 41st on they repeat."""
    colours = [*(colour for colour, _ in CLASS_STYLES), *_MORE_COLOURS]
    line = CLASS_STYLES[(index + index // len(colours)) % len(CLASS_STYLES)][1]
    return colours[index % len(colours)], line


def drawn_name(name: str) -> str:
    """Return a class's name as a plot can show it: not too long, nothing in it a formula, not left out of a legend."""
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    shown = short.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def new_figure(title: str, width: float, height: float, *, panels: int = 1) -> tuple[Figure, Any]:
    """Make a figure with panels below each other.

    Args:
        title: Wrapped if it is long.
        width: In inches.
        height: In inches.
        panels: How many axes.

    Returns:
        The figure, and its axes: one, or an array of several.
    """
    # The rectangle keeps the notice clear of the labels above it.
    layout = ConstrainedLayoutEngine(rect=(0, 0.02, 1, 0.98))
    figure = Figure(figsize=(width, height), dpi=_DPI, layout=layout)
    axes = figure.subplots(panels, 1)
    # A dollar sign in a name does not begin a formula.
    lines = textwrap.wrap(title.replace("$", r"\$"), round(width * _LETTERS_PER_INCH))
    if lines:
        figure.suptitle("\n".join(lines), fontsize=10)
    figure.text(0.995, 0.002, RESEARCH_USE_ONLY, ha="right", va="bottom", fontsize=5, color="0.45")
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; raises ``CannotWrite``."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes: the page and the tables have the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format="png")
    write_bytes_atomically(path, buffer.getvalue())
