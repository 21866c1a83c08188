"""Rules about what a scan has lost: drowned in noise, blurred, or coarsely compressed."""

import numpy as np
from numpy.typing import NDArray

from edge_infer.doubt_rules.samples import Samples
from edge_infer.reasons import Doubt, Reason

__all__ = ["blurred", "coarse_jpeg", "noisy"]

#: Share of the pixels that differ from the mean of both neighbours by a quarter of the contrast (standard deviation)
#: or more. Good scans have up to 0.23.
NOISE = 0.5
#: Difference of neighbours in a grid of 128, relative to that of pixels a 16th of the side apart: 0.125 if there is no
#: detail at all, 0.35 in most scans. Good ones have 0.163 or more.
DETAIL = 0.162
#: Jump where blocks of 8 pixels meet, relative to that inside of blocks. Good scans have up to 1.82.
BLOCKS = 2.0
_QUARTER = (
    0.5  # of the contrast, for the second difference, which is twice the distance from the mean
)
_APART = 16
_EDGE = 24  # larger jumps count as this: they are edges, such as the sides of a frame, and not of blocks
_NARROWEST = 64


def noisy(samples: Samples) -> Doubt | None:
    """Notice noise as strong as the contrast of the scan."""
    rows = samples.few_rows
    if rows.shape[1] < _NARROWEST:
        return None
    second = np.diff(rows, n=2, axis=1)
    step = _QUARTER * _contrast(samples.levels)
    if np.count_nonzero(np.abs(second) > step) <= NOISE * second.size:
        return None
    return Doubt(Reason.LOW_QUALITY, "noise is about as strong as what the image shows")


def blurred(samples: Samples) -> Doubt | None:
    """Notice that details are missing along rows or columns: motion, or few pixels enlarged."""
    grid = samples.grid
    if min(grid.shape) < _NARROWEST or min(_detail(grid), _detail(grid.T)) >= DETAIL:
        return None
    return Doubt(Reason.LOW_QUALITY, "the image is blurred, or was enlarged from very few pixels")


def coarse_jpeg(samples: Samples) -> Doubt | None:
    """Notice the blocks of very strong JPEG compression, as long as the image was not resized since."""
    rows = samples.few_rows
    if rows.shape[1] < _NARROWEST:
        return None
    jumps = np.minimum(np.abs(np.diff(rows, axis=1)), _EDGE).sum(axis=0, dtype=np.int64)
    between = jumps[7::8]
    inside = (jumps.sum() - between.sum()) / (jumps.size - between.size)
    if between.mean() <= BLOCKS * inside:
        return None
    return Doubt(Reason.LOW_QUALITY, "blocks of very strong JPEG compression are seen")


def _contrast(levels: NDArray[np.int64]) -> float:
    """Return the standard deviation of the grey levels."""
    grey = np.arange(len(levels))
    mean = grey @ levels / levels.sum()
    return float(np.sqrt((grey - mean) ** 2 @ levels / levels.sum()))


def _detail(grid: NDArray[np.uint8]) -> float:
    lines = grid[:, ::4].astype(np.int16)  # a quarter of them is enough
    apart = len(lines) // _APART
    near = np.abs(lines[1:] - lines[:-1]).mean()
    far = np.abs(lines[apart:] - lines[:-apart]).mean()
    return float(near / far) if far else 1.0
