"""Rules about where things lie: the shape of the image, and several slices in one image."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edge_infer.doubt_rules.samples import Samples
from edge_infer.reasons import Doubt, Reason

__all__ = ["light_line", "odd_shape", "several_slices"]

#: Ratio of the sides from which on two square slices are likely, even with a line lost. Good scans have up to 1.97.
TWO_SLICES = 1.98
#: A line through the middle of a head has 0.55 of the mean grey or more, one between two slices almost none.
DARK_LINE = 0.3
#: A line between two slices has less than this share of the brightest line. No line inside of a good scan has.
GAP = 0.06
#: Both sides of a gap hold something: a line with this share of the brightest one. A letter beside a head is darker.
BESIDE_GAP = 0.5
#: No line through a good scan is this light from edge to edge; frames and the sides of windows are.
LIGHT_LINE = 96
#: A box that blanks a name is lighter than this, or too dark to pass for a slice.
LIGHT_BOX = 96
_CONSTANT = 16  # grey levels that one line of a frame may differ by, after JPEG
_BLOCK = 5  # lines of 128: a box that blanks a name is at least so high, and hardly any tissue is so even
_EVEN = 3  # grey levels that a block of one grey may differ by, after JPEG
_RIM = 32  # the rim's width: the side divided by this
_MAY = "the image may hold several slices"
_LINE = 64  # the width of the lines in the middle: the side divided by this


def odd_shape(width: int, height: int) -> Doubt | None:
    """Notice an image that is far from the shape of a head; a row of square slices is ``several_slices``."""
    ratio = max(width, height) / min(width, height)
    if ratio < TWO_SLICES:
        return None
    said = f"image is {width} x {height} pixels, far from the shape of a head"
    slices = round(ratio)
    if abs(ratio - slices) > 0.02 * slices:
        return Doubt(Reason.ODD_SHAPE, said)
    how = "side by side" if width > height else "one above the other"
    return Doubt(Reason.SEVERAL_SLICES, f"{said}; it may hold {slices} slices {how}")


def several_slices(samples: Samples) -> Doubt | None:
    """Notice a dark line through the middle, or a dark gap anywhere."""
    columns, rows = _brightness(samples.grid)
    if min(_middle(columns), _middle(rows)) < DARK_LINE:
        return Doubt(Reason.SEVERAL_SLICES, f"a dark line runs through the middle: {_MAY}")
    # Looked for twice, because few images get as far as the second, slower look.
    if _has_gap(samples.grid) and _has_gap(_without_boxes(samples.grid)):
        return Doubt(Reason.SEVERAL_SLICES, f"a dark gap lies between bright parts: {_MAY}")
    return None


def light_line(samples: Samples) -> Doubt | None:
    """Notice a light line from edge to edge, as between tiles and around windows; not for inverted scans."""
    if max(_lightest(samples.rows), _lightest(samples.few_columns.T)) <= LIGHT_LINE:
        return None
    note = f"a light line runs from edge to edge: {_MAY}, or be a screenshot"
    return Doubt(Reason.SEVERAL_SLICES, note)


def _brightness(grid: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of each column and of each row."""
    pixels = grid.astype(np.float32)
    height, width = pixels.shape
    # Products, because means along an axis are slow.
    columns = np.ones(height, np.float32) @ pixels / height
    return columns, pixels @ np.ones(width, np.float32) / width


def _middle(brightness: NDArray[np.float32]) -> float:
    """Return how bright the lines in the middle are, relative to all."""
    wide = max(1, len(brightness) // _LINE)
    first = (len(brightness) - wide) // 2
    middle = brightness[first : first + wide].sum() / wide
    return float(middle * len(brightness) / max(brightness.sum(), 1e-6))


def _has_gap(grid: NDArray[np.uint8]) -> bool:
    return min(map(_gap, _brightness(grid))) < GAP


def _without_boxes(grid: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grid with light blocks of one grey in black: a box that blanks a name is no slice."""
    image = Image.fromarray(grid)
    lightest = np.asarray(image.filter(ImageFilter.MaxFilter(_BLOCK)), dtype=np.int16)
    darkest = np.asarray(image.filter(ImageFilter.MinFilter(_BLOCK)), dtype=np.int16)
    # Only light ones: the even grey around the windows of a viewer tells that there are several.
    centres = Image.fromarray((lightest - darkest <= _EVEN) & (darkest > LIGHT_BOX)).convert("L")
    # One line more on each side: where a box ends, JPEG has mixed it with what lies beside it.
    blocks = np.asarray(centres.filter(ImageFilter.MaxFilter(_BLOCK + 2)))
    return np.where(blocks, np.uint8(0), grid)


def _gap(brightness: NDArray[np.float32]) -> float:
    """Return how bright the darkest line between bright ones is, relative to the brightest."""
    rim = len(brightness) // _RIM  # a thin frame is no slice
    inner = brightness[rim : len(brightness) - rim]
    brightest = max(inner.max(), 1e-6)
    bright = np.flatnonzero(inner > BESIDE_GAP * brightest)
    return float(inner[bright[0] : bright[-1] + 1].min() / brightest) if bright.size else 1.0


def _lightest(rows: NDArray[np.uint8]) -> int:
    """Return the grey of the lightest column of one grey, between columns that are not of one grey; 0 for none."""
    darkest = rows.min(axis=0)
    if darkest.max() <= LIGHT_LINE:
        return 0
    is_constant = rows.max(axis=0) - darkest <= _CONSTANT
    varied = np.flatnonzero(~is_constant)
    if not varied.size:
        return 0
    inside = slice(varied[0], varied[-1])
    return int(darkest[inside][is_constant[inside]].max(initial=0))
