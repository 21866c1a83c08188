"""How much of a slice is head: a coarse measure, made to compare slices of one series."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["LEAST_SHARE", "head_area", "head_shares"]

#: A slice whose head is smaller than this share of the largest one of its series is an end slice. On healthy heads the
#: slices below it are called tumours, with conviction; docs/series.md says how it was chosen.
LEAST_SHARE = 0.4

#: Pixels of a side after averaging: noise is averaged away, and what is left above the background is tissue.
_SIDE = 32
#: Shares of the pixels that lie below background and above tissue.
_BACKGROUND, _TISSUE = 0.02, 0.98
#: Grey levels between the two; a slice of less holds nothing but noise.
_LEAST_CONTRAST = 40
#: Share of the way from background to tissue above which a pixel is head.
_ABOVE = 0.15


def head_area(image: Image.Image) -> float:
    """Return the share of the image that is head, 0..1; 0 of an image of noise.

    Args:
        image: Mode ``L``.
    """
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    grey: NDArray[np.float64] = np.asarray(small, dtype=np.float64)
    background, tissue = np.quantile(grey, (_BACKGROUND, _TISSUE)).tolist()
    if tissue - background < _LEAST_CONTRAST:
        return 0.0
    return float(np.mean(grey > background + _ABOVE * (tissue - background)))


def head_shares(areas: list[float | None]) -> list[float | None]:
    """Return each area over the largest; None stays None, and without any head all are 1.

    Args:
        areas: Of slices of one series, by ``head_area``; None of those that could not be read.
    """
    largest = max((area for area in areas if area is not None), default=0.0)
    if largest == 0.0:  # no slice is more of an end than another
        return [None if area is None else 1.0 for area in areas]
    return [None if area is None else area / largest for area in areas]
