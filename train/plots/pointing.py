"""Where a model looked: images with the tumour's outline, the evidence, and its peak."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.heatmap import draw_evidence
from train.plots.canvas import new_figure, save_figure

__all__ = ["Example", "plot_pointing"]

_CELL = 1.9  # inches
_SIDE = 320
_OUTLINE, _PEAK = "#00e5a8", "#ffd400"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One image to draw.

    Attributes:
        name: Name of its file.
        grey: uint8, (H, W).
        inside: bool, (H, W).
        evidence: (classes, h, w).
        answer: The class whose evidence is drawn.
        label: True class.
        peak: Row and column of the largest evidence.
    """

    name: str
    grey: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    evidence: NDArray[np.float32]
    answer: int
    label: int
    peak: tuple[float, float]


def plot_pointing(
    hits: Sequence[Example],
    misses: Sequence[Example],
    classes: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw hits above misses: each image, and under it the image with the evidence for the answer.

    Args:
        hits: Some images whose peak lies inside.
        misses: Some whose peak does not.
        classes: Names of the classes.
        title: Names model and data.
        path: PNG to write.
    """
    columns = max(len(hits), len(misses), 1)
    figure, axes = new_figure(title, _CELL * columns + 0.3, 4 * (_CELL + 0.22) + 0.4)
    axes.remove()
    cells = figure.subplots(4, columns, squeeze=False)
    for cell in cells.flat:
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
    for first, name, examples in ((0, "hit", hits), (2, "miss", misses)):
        cells[first][0].set_ylabel(name, fontsize=11)
        cells[first + 1][0].set_ylabel("evidence for the answer", fontsize=8)
        for column, example in enumerate(examples):
            _draw(cells[first][column], cells[first + 1][column], example, classes)
    save_figure(figure, path)


def _draw(above: Any, below: Any, example: Example, classes: Sequence[str]) -> None:
    H, W = example.grey.shape
    extent = (0, W, H, 0)
    image = Image.fromarray(example.grey)
    above.imshow(example.grey, cmap="gray", vmin=0, vmax=255, extent=extent)
    coloured = draw_evidence(image, example.evidence, example.answer, (_SIDE, _SIDE))
    below.imshow(np.asarray(coloured), extent=extent)
    y, x = example.peak
    below.plot([x], [y], marker="x", markersize=9, markeredgewidth=2.4, color="black")
    below.plot([x], [y], marker="x", markersize=8, markeredgewidth=1.4, color=_PEAK)
    columns, rows = np.arange(W) + 0.5, np.arange(H) + 0.5
    for cell in (above, below):
        cell.contour(columns, rows, example.inside, levels=[0.5], colors=[_OUTLINE], linewidths=0.9)
        cell.set_aspect("equal")
    answer = classes[example.answer]
    said = "right" if example.answer == example.label else f"truly {classes[example.label]}"
    stem = PurePosixPath(example.name).stem
    above.set_title(
        f"{answer}, {said}\n{stem if len(stem) <= 32 else '…' + stem[-31:]}",
        fontsize=6,
        parse_math=False,
        pad=2,
    )
