"""A page of scans, each row beside what was made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from train.plots.canvas import new_figure, save_figure

__all__ = ["Panel", "plot_panels"]

_CELL = 2.0  # inches
_NAME = 0.3
_OUTLINE, _CHANGED = "#00e5a8", "#e69f00"
_GAP = 6  # pixels between what was changed and the frame around it, so that the seam can be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One image of a page.

    Attributes:
        image: uint8, (H, W); None if there is none.
        outline: What to outline, bool, (H, W).
        changed: What to draw a frame around, bool, (H, W).
        note: Below the image, or where it would be if there is none; lines as given.
    """

    image: NDArray[np.uint8] | None
    outline: NDArray[np.bool_] | None = None
    changed: NDArray[np.bool_] | None = None
    note: str = ""


def plot_panels(
    headings: Sequence[str], rows: Sequence[Sequence[Panel]], title: str, path: Path
) -> None:
    """Draw rows of images under headings.

    Args:
        headings: One for each column.
        rows: A panel for each column.
        title: Names the data, and says what frames and outlines mean.
        path: PNG to write.
    """
    width, height = _CELL * len(headings) + 0.2, (_CELL + _NAME) * len(rows) + 1.1
    figure, axes = new_figure(title, width, height)
    axes.remove()
    cells = figure.subplots(len(rows), len(headings), squeeze=False)
    for cell, heading in zip(cells[0], headings, strict=True):
        cell.set_title(heading, fontsize=9)
    for row, panels in zip(cells, rows, strict=True):
        for cell, panel in zip(row, panels, strict=True):
            _draw(cell, panel)
    save_figure(figure, path)


def _draw(cell: Any, panel: Panel) -> None:
    cell.set(xticks=[], yticks=[])
    cell.spines[:].set_visible(False)
    if panel.image is None:
        cell.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        cell.text(0.5, 0.5, panel.note, ha="center", va="center", fontsize=8, color="0.35")
        return
    cell.imshow(panel.image, cmap="gray", vmin=0, vmax=255)
    if panel.outline is not None and panel.outline.any():
        cell.contour(panel.outline, levels=[0.5], colors=[_OUTLINE], linewidths=0.9)
    if panel.changed is not None and panel.changed.any():
        cell.add_patch(_frame(panel.changed))
    cell.set_xlabel(panel.note, fontsize=6.5, color="0.25", parse_math=False, labelpad=2)


def _frame(changed: NDArray[np.bool_]) -> Rectangle:
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    top, left = int(rows[0]) - _GAP, int(columns[0]) - _GAP
    return Rectangle(
        (left, top),
        int(columns[-1]) + _GAP - left,
        int(rows[-1]) + _GAP - top,
        fill=False,
        edgecolor=_CHANGED,
        linestyle=":",
        linewidth=0.9,
    )
