"""A rule about the histogram: too few grey levels are left."""

import numpy as np

from edge_infer.doubt_rules.samples import Samples
from edge_infer.reasons import Doubt, Reason

__all__ = ["too_few_grey_levels"]

#: Good scans have 112 or more of 256 levels. At a quarter of their contrast, at which none of 55 labels changed, it is
#: 29 or more, and 5 of 2,983 fewer than this. One hot pixel in a 16-bit image leaves three, an export of four bits 16.
FEW_LEVELS = 32
_COMMON = 0.999  # share of the pixels that the levels must cover


def too_few_grey_levels(samples: Samples) -> Doubt | None:
    """Notice an image nearly all of whose pixels share a few grey levels."""
    pixels = samples.levels.sum()
    most_common_first = np.sort(samples.levels)[::-1]
    levels = int(np.searchsorted(most_common_first.cumsum(), _COMMON * pixels)) + 1
    if levels >= min(FEW_LEVELS, pixels // 8):  # 16 x 16 pixels cannot have many levels
        return None
    return Doubt(
        Reason.TOO_FEW_GREY_LEVELS,
        f"few grey levels are left: {levels} of 256 hold nearly all pixels; "
        "a single very bright pixel, or an export with few bits, causes this",
    )
