"""Images of a data set side by side, a row for each class, and the mean of each class."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edge_infer.names import shown_name
from train.plots.canvas import class_style, drawn_name, new_figure, save_figure

__all__ = ["plot_images", "plot_means", "two_lines"]

_CELL = 1.45  # inches
_NAME_LINE = 26  # characters that fit above an image
_NAME_LINES = 2
_MEANS_BESIDE = 10


def plot_images(
    rows: Sequence[Sequence[tuple[str, Image.Image]]],
    classes: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw images in their own shape, each under its file's name.

    Args:
        rows: Name and image, mode ``L``, for each class in class order; some may have fewer.
        classes: Names of the classes.
        title: Names the data.
        path: PNG to write.
    """
    columns = max(1, *(len(row) for row in rows))
    size = (_CELL * columns + 0.4, (_CELL + 0.3) * len(rows) + 0.4)
    figure, cells = _grid(title, size, len(rows), columns)
    for label, row in enumerate(rows):
        for column, cell in enumerate(cells[label]):
            if column >= len(row):
                continue
            name, image = row[column]
            # Padded to a white square, so that names and classes line up.
            square = ImageOps.pad(image, (max(image.size),) * 2, color=255)
            cell.imshow(np.asarray(square), cmap="gray", vmin=0, vmax=255)
            cell.set_title(two_lines(name), fontsize=6, parse_math=False, pad=2)
        colour = class_style(label)[0]
        cells[label][0].set_ylabel(drawn_name(classes[label]), color=colour, fontsize=10)
    save_figure(figure, path)


def plot_means(
    means: NDArray[np.float64],
    counts: Sequence[int],
    classes: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw the mean image of each class, all with one grey scale.

    Args:
        means: (classes, H, W), 0..255.
        counts: Number of images in each mean.
        classes: Names of the classes.
        title: Names the data.
        path: PNG to write.
    """
    columns = min(len(means), _MEANS_BESIDE)
    lines = math.ceil(len(means) / columns)
    figure, cells = _grid(title, (2.0 * columns, 0.4 + 2.3 * lines), lines, columns)
    brightest = max(1.0, float(means.max()))
    for label, (mean, cell) in enumerate(zip(means, cells.flat, strict=False)):
        if counts[label]:
            cell.imshow(mean, cmap="gray", vmin=0, vmax=brightest)
        cell.set_title(f"{drawn_name(classes[label])}, n {counts[label]}", fontsize=9)
    save_figure(figure, path)


def _grid(title: str, size: tuple[float, float], rows: int, columns: int) -> tuple[Figure, Any]:
    """Make a figure with cells without ticks and frames; returns the cells as (rows, columns)."""
    figure, axes = new_figure(title, *size)
    axes.remove()
    cells = figure.subplots(rows, columns, squeeze=False)
    for cell in cells.flat:
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
    return figure, cells


def two_lines(name: str) -> str:
    """Wrap a name into two lines, after a separator if possible; a longer one loses its middle."""
    shown = shown_name(name)
    room = _NAME_LINE * _NAME_LINES
    if len(shown) > room:
        shown = f"{shown[: room // 2]}…{shown[-(room // 2 - 1) :]}"
    if len(shown) <= _NAME_LINE:
        return shown
    after = max(shown.rfind(separator, 0, _NAME_LINE) for separator in "_-. ") + 1
    # The second line must not become too long either.
    cut = after if len(shown) - after <= _NAME_LINE else _NAME_LINE
    return f"{shown[:cut]}\n{shown[cut:]}"
