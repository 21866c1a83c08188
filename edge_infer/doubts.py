"""Notes about readable images that are doubtful; they are added to the answer and never replace it.

Each rule is one comparison; docs/bundle.md states it, and how often it gives a note on good scans.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["doubts_about"]

#: Good scans use 112 or more of 256 levels; one hot pixel in a 16-bit image leaves three.
FEW_LEVELS = 64
_COMMON = 0.999  # share of the pixels that the levels must cover
#: Ratio of the sides from which on two square slices are likely, even with a line lost. Good scans have up to 1.97.
TWO_SLICES = 1.98
#: A line through the middle of a head has 0.55 of the mean grey or more, one between two slices almost none.
DARK_LINE = 0.3
_LINE = 64  # the line's width: the side divided by this
_BRIGHT = 128
_RIM = 32  # the rim's width: the shorter side divided by this


def doubts_about(grey: Image.Image) -> tuple[str, ...]:
    """Return what a reader should know about an image before relying on the answer.

    Args:
        grey: Mode ``L``, as it was read, not yet resized.
    """
    found = (_shape(grey) or _line(grey), _levels(grey), _rim(grey))
    return tuple(note for note in found if note)


def _shape(grey: Image.Image) -> str:
    width, height = grey.size
    ratio = max(width, height) / min(width, height)
    if ratio < TWO_SLICES:
        return ""
    said = f"image is {width} x {height} pixels, far from the shape of a head"
    slices = round(ratio)
    how = "side by side" if width > height else "one above the other"
    is_row = abs(ratio - slices) <= 0.02 * slices
    return f"{said}; it may hold {slices} slices {how}" if is_row else said


def _line(grey: Image.Image) -> str:
    width, height = grey.size
    across, down = max(1, width // _LINE), max(1, height // _LINE)
    left, top = (width - across) // 2, (height - down) // 2
    mean = _mean(grey)
    upright = _mean(grey.crop((left, 0, left + across, height)))
    level = _mean(grey.crop((0, top, width, top + down)))
    if min(upright, level) >= DARK_LINE * mean:
        return ""
    return "a dark line runs through the middle: the image may hold several slices"


def _levels(grey: Image.Image) -> str:
    pixels = grey.width * grey.height
    most_common_first = np.sort(_histogram(grey))[::-1]
    levels = int(np.searchsorted(most_common_first.cumsum(), _COMMON * pixels)) + 1
    if levels >= min(FEW_LEVELS, pixels // 8):  # 16 x 16 pixels cannot have many levels
        return ""
    return (
        f"few grey levels are left: {levels} of 256 hold nearly all pixels; "
        "a single very bright pixel, or an export with few bits, causes this"
    )


def _rim(grey: Image.Image) -> str:
    width, height = grey.size
    wide = max(1, min(height, width) // _RIM)
    inner = grey.crop((wide, wide, width - wide, height - wide))
    middle = grey.crop((width // 4, height // 4, width - width // 4, height - height // 4))
    rim = _median(_histogram(grey) - _histogram(inner))
    if rim <= max(_BRIGHT, _median(_histogram(middle))):
        return ""
    return "the rim is brighter than the middle: black and white may be swapped"


def _histogram(grey: Image.Image) -> NDArray[np.int64]:
    return np.asarray(grey.histogram(), dtype=np.int64)


def _mean(grey: Image.Image) -> float:
    histogram = _histogram(grey)
    return float(np.arange(256) @ histogram / histogram.sum())


def _median(histogram: NDArray[np.int64]) -> int:
    return int(np.searchsorted(histogram.cumsum(), histogram.sum() / 2))
