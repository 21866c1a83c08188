"""Find the part of a scan that fits best where another part is to be covered."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from train.counterfactuals.seams import Mask, grown

__all__ = ["Copy", "best_donor", "head_mask"]

# All lengths are shares of the image's side.
_MIRROR_STEPS = (-0.06, -0.03, 0.0, 0.03, 0.06)
_DISTANCES = (0.12, 0.18, 0.26, 0.36)
_DIRECTIONS = 16
_RING = 0.025

#: A donor may bring this much more or less air into the region than there is around it.
_AIR = 0.12

#: Grey levels over this share of the brightest are head.
_HEAD = 0.12

#: How much a constant difference to the surroundings costs, relative to one that varies: the seam hides the first, but
#: tissue of quite another grey level is another tissue.
_CONSTANT = 0.25

#: Rows and columns of pixels.
Places: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Where a copy of an image takes the pixel at (row, column) from.

    Attributes:
        down: The copy is moved down by this many rows.
        right: And right by this many columns.
        mirrored_at: If not None, it is mirrored first: column c is taken from column ``mirrored_at`` - c.
    """

    down: int
    right: int
    mirrored_at: int | None = None

    def sources(self, where: Mask) -> Places | None:
        """Return rows and columns that the copy takes the pixels at ``where`` from; None if some lie outside."""
        rows, columns = np.nonzero(where)
        rows, columns = rows - self.down, columns - self.right
        if self.mirrored_at is not None:
            columns = self.mirrored_at - columns
        height, width = where.shape
        inside = (rows >= 0) & (columns >= 0) & (rows < height) & (columns < width)
        return (rows, columns) if inside.all() else None


def head_mask(image: NDArray[np.uint8]) -> Mask:
    """Return where the head is, holes filled; bool, (H, W)."""
    level = max(_HEAD * float(np.percentile(image, 99)), 1.0)
    filled: Mask = binary_fill_holes(image > level)
    return filled


def best_donor(
    image: NDArray[np.uint8], region: Mask, forbidden: Mask
) -> NDArray[np.float32] | None:
    """Find the mirrored or moved copy of a scan whose surroundings of a region are most like the scan's own.

    Args:
        image: uint8, (H, W).
        region: What is to be covered, bool, (H, W).
        forbidden: Must not be copied, such as the tumour itself, bool, (H, W).

    Returns:
        The copy's pixels in and around the region, float32, (H, W), elsewhere those of the scan. None if none fits, or
        if the region is empty or leaves nothing around it.
    """
    ring = grown(region, max(2, round(_RING * image.shape[0]))) & ~region
    if not region.any() or not ring.any():
        return None
    air = ~head_mask(image)
    air_around, own = float(air[ring].mean()), image[ring].astype(np.float32)
    best: tuple[Places, Places] | None = None
    least = np.inf
    for copy in _copies(image.shape[0], air):
        around, within = copy.sources(ring), copy.sources(region)
        if around is None or within is None or forbidden[within].any():
            continue
        if abs(float(air[within].mean()) - air_around) > _AIR:
            continue
        difference = image[around].astype(np.float32) - own
        cost = float(difference.var() + _CONSTANT * difference.mean() ** 2)
        if cost < least:
            best, least = (around, within), cost
    if best is None:
        return None
    donor = image.astype(np.float32)
    donor[ring], donor[region] = image[best[0]], image[best[1]]
    return donor


def _copies(side: int, air: Mask) -> Iterator[Copy]:
    columns = np.flatnonzero((~air).any(axis=0))
    twice_the_middle = int(columns[0] + columns[-1]) if len(columns) else side - 1
    for down in _MIRROR_STEPS:
        for right in _MIRROR_STEPS:
            yield Copy(
                down=round(down * side), right=round(right * side), mirrored_at=twice_the_middle
            )
    for distance in _DISTANCES:
        for angle in np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS):
            yield Copy(
                down=round(distance * side * float(np.sin(angle))),
                right=round(distance * side * float(np.cos(angle))),
            )
