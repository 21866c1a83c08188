"""A page of evidence maps: images of several kinds, and under each what spoke for the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.classes import Classes
from edge_infer.heatmap import draw_evidence
from train.plots.canvas import new_figure, save_figure

__all__ = ["EvidenceExample", "plot_evidence"]

_CELL = 1.5  # inches
_TITLE = 0.32
_SIDE = 320
_OUTLINE = "#00e5a8"
_RIGHT, _WRONG = "#1b6e3c", "#b3261e"
_LETTERS = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceExample:
    """One image to draw.

    Attributes:
        name: Name of its file.
        grey: uint8, (H, W).
        inside: bool, (H, W), the tumour; None if its outline is unknown.
        evidence: (classes, h, w).
        probabilities: (classes,).
        label: True class.
    """

    name: str
    grey: NDArray[np.uint8]
    inside: NDArray[np.bool_] | None
    evidence: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    label: int

    @property
    def answer(self) -> int:
        """The class with the largest probability."""
        return int(self.probabilities.argmax())


def plot_evidence(
    kinds: Mapping[str, Sequence[EvidenceExample]], classes: Classes, title: str, path: Path
) -> None:
    """Draw two rows for each kind: images with the answer above them, and the evidence for that answer.

    Args:
        kinds: Images by the name of their kind; a kind without images is left out.
        classes: What the model tells apart.
        title: Names model and data.
        path: PNG to write.
    """
    shown = {kind: examples for kind, examples in kinds.items() if examples}
    columns = max(map(len, shown.values()), default=1)
    height = max(len(shown), 1) * (2 * _CELL + _TITLE)
    figure, axes = new_figure(
        f"{title}. Names and answers in green are right, in red wrong. Below each image the evidence for its answer: "
        f"red for it, blue against it; under {classes.negative}, blue looks like a tumour. Green outline: the tumour, "
        "if known",
        _CELL * columns + 0.4,
        height + 0.6,
    )
    axes.remove()
    cells = figure.subplots(max(2 * len(shown), 1), columns, squeeze=False)
    for cell in cells.flat:
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
    for number, (kind, examples) in enumerate(shown.items()):
        above, below = cells[2 * number], cells[2 * number + 1]
        above[0].set_ylabel(kind, fontsize=8)
        below[0].set_ylabel("evidence", fontsize=7, color="0.35")
        for column, example in enumerate(examples):
            _draw(above[column], below[column], example, classes.names)
    save_figure(figure, path)


def _draw(above: Any, below: Any, example: EvidenceExample, names: Sequence[str]) -> None:
    H, W = example.grey.shape
    extent = (0, W, H, 0)
    above.imshow(example.grey, cmap="gray", vmin=0, vmax=255, extent=extent)
    image = Image.fromarray(example.grey)
    coloured = draw_evidence(image, example.evidence, example.answer, (_SIDE, _SIDE))
    below.imshow(np.asarray(coloured), extent=extent)
    if example.inside is not None:
        columns, rows = np.arange(W) + 0.5, np.arange(H) + 0.5
        for cell in (above, below):
            cell.contour(
                columns, rows, example.inside, levels=[0.5], colors=[_OUTLINE], linewidths=0.8
            )
    for cell in (above, below):
        cell.set_aspect("equal")
    stem = PurePosixPath(example.name).stem
    short = stem if len(stem) <= _LETTERS else "…" + stem[1 - _LETTERS :]
    answer = f"{names[example.answer]} {example.probabilities[example.answer]:.0%}"
    above.set_title(
        f"{short}\n{answer}",
        fontsize=5.5,
        color=_RIGHT if example.answer == example.label else _WRONG,
        parse_math=False,
        pad=2,
    )
