"""Rules about the rim: an empty frame around the scan, and black and white exchanged."""

import numpy as np
from numpy.typing import NDArray

from edge_infer.doubt_rules.samples import Samples
from edge_infer.reasons import Doubt, Reason

__all__ = ["blank_rim", "inverted"]

#: Least share of the image within which something lies; 1 of 1,000 good scans has less.
FILLED = 0.28
#: Largest share of the image that a frame lighter than a background may take. Good scans have up to 0.02.
LIGHT_FRAME = 0.05
_BLANK = 16  # grey levels that a line of the frame may differ by: noise, JPEG
_LIGHT = 64  # background is darker
_BRIGHT = 128
_RIM = 32  # the rim's width: the side divided by this


def blank_rim(samples: Samples) -> Doubt | None:
    """Notice a wide empty frame of black, or any of grey or white."""
    grid = samples.grid
    down, across = _varied(grid, axis=1), _varied(grid, axis=0)
    filled = grid[down, across].size
    frame = grid.size - filled
    if filled >= FILLED * grid.size and (
        frame <= LIGHT_FRAME * grid.size or _light(grid, down, across) <= LIGHT_FRAME * grid.size
    ):
        return None
    share = 100 * frame / grid.size
    return Doubt(Reason.BLANK_RIM, f"a blank frame takes {share:.0f} % of the image")


def inverted(samples: Samples) -> Doubt | None:
    """Notice a rim that is bright, and brighter than the middle, of what a frame of one grey leaves.

    A white frame is not a white background: ``blank_rim`` notices it where it is wide.
    """
    grid = samples.grid
    grid = grid[_varied(grid, axis=1), _varied(grid, axis=0)]
    if not grid.size:
        return None
    height, width = grid.shape
    down, across = max(1, height // _RIM), max(1, width // _RIM)
    rim = np.concatenate(
        [part.ravel() for part in (grid[:down], grid[-down:], grid[:, :across], grid[:, -across:])]
    )
    if 2 * np.count_nonzero(rim > _BRIGHT) <= rim.size:
        return None
    middle = grid[height // 4 : height - height // 4, width // 4 : width - width // 4]
    if np.median(rim) <= np.median(middle):
        return None
    return Doubt(
        Reason.INVERTED,
        "the rim is brighter than the middle: black and white may be swapped",
    )


def _varied(grid: NDArray[np.uint8], axis: int) -> slice:
    """Return where the first and the last line lie that are not of one grey."""
    varied = np.flatnonzero(grid.max(axis) - grid.min(axis) > _BLANK)
    return slice(varied[0], varied[-1] + 1) if varied.size else slice(0)


def _light(grid: NDArray[np.uint8], down: slice, across: slice) -> int:
    """Return how many pixels outside of a box are lighter than a background."""
    is_light = grid > _LIGHT
    return int(np.count_nonzero(is_light) - np.count_nonzero(is_light[down, across]))
