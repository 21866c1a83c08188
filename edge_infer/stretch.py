"""Grey levels of a slice whose file says no window: its own percentiles become black and white.

The images that the model learnt from had been stretched so that one value in five hundred is white, which keeps vessels
and fat from darkening the brain. Black is the least value but for one in a thousand, because resampling leaves a few
values below zero.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLANK", "PERCENTILES", "STRETCHED", "stretch"]

#: Of the values of a slice: what becomes black and what becomes white.
PERCENTILES = (0.1, 99.8)
#: Said of a slice that shows nothing, as the first and last of a volume often do; it is black.
BLANK = "blank: every pixel has the same value"
#: The rule in words.
STRETCHED = f"percentiles {PERCENTILES[0]:g} and {PERCENTILES[1]:g} of the slice"


def stretch(
    values: NDArray[np.floating], is_counted: NDArray[np.bool_] | None = None
) -> NDArray[np.float64] | None:
    """Return grey levels 0..255, not rounded; None if all values are the same.

    Args:
        values: (H, W); what is not finite becomes black.
        is_counted: (H, W); values that are not do not enter the percentiles. All, if None.
    """
    finite = np.isfinite(values)
    parts = np.where(finite, values, 0) / 4  # the difference of two large values may not be finite
    counted = parts[finite if is_counted is None else finite & is_counted]
    if not counted.size:
        return None
    low, high = np.percentile(counted, PERCENTILES)
    if not high > low:  # a slice that shows next to nothing
        low, high = counted.min(), counted.max()
    if not high > low:
        return None
    with np.errstate(over="ignore"):  # what is far above white is white
        grey: NDArray[np.float64] = np.clip((parts - low) / (high - low), 0.0, 1.0) * 255.0
    grey[~finite] = 0
    return grey
