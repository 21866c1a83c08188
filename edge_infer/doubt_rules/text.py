"""A rule about letters in the pixels: many jumps between dark and bright, close together, in a row."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge_infer.doubt_rules.samples import Samples
from edge_infer.reasons import Doubt, Reason

__all__ = ["burnt_in_text"]

#: Share of the cells (an eighth of a sampled row each) that are full of jumps. Good scans have less but for 2 in 1,000,
#: which have a skull as bright as letters.
TEXT = 0.003
_CELLS = 8  # per row
_FULL = 0.25  # share of a cell's pixels that jump; the edge of a head jumps twice
_JUMP = 96  # within two pixels, so that the grey rim of a letter does not hide it
_DARK = 48  # one side of the jump is darker than this
_NARROWEST = 128  # in fewer pixels a head itself is as fine as letters


def burnt_in_text(samples: Samples) -> Doubt | None:
    """Notice text of two or more lines, if its letters are light on dark or dark on light."""
    rows = samples.rows
    height, width = rows.shape
    if width < _NARROWEST:
        return None
    one, other = rows[:, 2:], rows[:, :-2]
    darker = np.minimum(one, other)
    jumps = (np.maximum(one, other) - darker > _JUMP) & (darker < _DARK)
    cell = jumps.shape[1] // _CELLS
    jumps_per_cell = jumps[:, : cell * _CELLS].astype(np.float32) @ _sums(cell)  # (rows, 8)
    full = np.count_nonzero(jumps_per_cell > _FULL * cell)
    if full <= TEXT * height * _CELLS:
        return None
    return Doubt(
        Reason.BURNT_IN_TEXT,
        "many sharp strokes lie close together: text may be burnt into the image",
    )


@cache
def _sums(cell: int) -> NDArray[np.float32]:
    """Return what sums the pixels of each cell of a row: (8 * cell, 8); at most one for each width."""
    return np.repeat(np.eye(_CELLS, dtype=np.float32), cell, axis=0)
