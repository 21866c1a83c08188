"""The cells of the robustness table, and the images of each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from edge_infer.errors import DataRefused
from train.corruption.corruptions import cells as corruption_cells
from train.corruption.corruptions import corrupt
from train.corruption.neutralised import NEUTRALISED, neutralise, reference_greys
from train.data.samples import Sample
from train.metrics.baselines import thumbnails

__all__ = ["CLEAN", "Cell", "Variants", "all_cells", "chosen_rows"]

CLEAN = "clean"


class Cell(NamedTuple):
    """One change of the images.

    Attributes:
        kind: ``clean``, one of ``NEUTRALISED`` or one of ``corruptions()``.
        severity: Of a corruption; 0 for other kinds.
    """

    kind: str
    severity: int = 0


def all_cells() -> tuple[Cell, ...]:
    """Return all cells, in the order in which they are computed."""
    return (Cell(CLEAN), *map(Cell, NEUTRALISED), *(Cell(*it) for it in corruption_cells()))


def chosen_rows(
    samples: Sequence[Sample], rows: Sequence[int], images: int | None, seed: int
) -> list[int]:
    """Choose images at random, stratified by class; all of them if ``images`` is None.

    Raises:
        DataRefused: More than there are, or too few for every class to occur.
    """
    if images is None or images == len(rows):
        return list(rows)
    try:
        chosen, _ = train_test_split(
            list(rows),
            train_size=images,
            stratify=[samples[row].label for row in rows],
            random_state=seed,
        )
    except ValueError as error:
        raise DataRefused(
            f"cannot choose {images} of {len(rows)} images ({error})",
            hint="ask for at least one of each class and at most all",
        ) from error
    return sorted(chosen)


class Variants:
    """The images of each cell, and the thumbnails of training images for the nearest neighbour."""

    def __init__(
        self, samples: Sequence[Sample], pixels: NDArray[np.uint8], train: list[int], seed: int
    ) -> None:
        self.labels = np.array([samples[row].label for row in train], dtype=np.int64)
        self._pixels, self._train, self._seed = pixels, train, seed
        self._thumbnails: NDArray[np.float32] | None = None
        self._reference = reference_greys(pixels, train or range(len(pixels)))

    def of(self, cell: Cell, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the changed images; an image's noise does not depend on the other images."""
        return np.stack([self._changed(cell, row) for row in rows])

    def train(self, cell: Cell) -> NDArray[np.float32]:
        """Return thumbnails of the training images: without the cue if one is removed, never corrupted."""
        if cell.kind in NEUTRALISED:
            return thumbnails(self.of(cell, self._train))
        if self._thumbnails is None:
            self._thumbnails = thumbnails(np.asarray(self._pixels[self._train]))
        return self._thumbnails

    def _changed(self, cell: Cell, row: int) -> NDArray[np.uint8]:
        image = np.asarray(self._pixels[row])
        if cell.kind == CLEAN:
            return image
        if cell.kind in NEUTRALISED:
            return neutralise(image, cell.kind, seed=(self._seed, row), reference=self._reference)
        return corrupt(image, cell.kind, cell.severity, (self._seed, row))
