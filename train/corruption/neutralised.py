"""Images without what should not matter: how large the head is drawn, how it is turned, framed and exposed.

In BRISC 2025 width, height and mode alone tell tumour from no_tumor, and no_tumor also differs in field of view,
orientation and contrast. A model that relies on such cues loses accuracy here; one that reads the tissue loses little.
Each way removes one cue from all images alike, ``all`` removes every one:

    extent      size, shape and position of the head: it is cut out and stretched over the image
    rim         whatever touches the rim: the whole image is drawn smaller, in a black frame of fixed width
    orientation one of the eight ways to lay a square down, at random
    intensity   window, gamma, contrast, the sequence's overall greys: the background becomes black, the head's greys
                get the mean distribution of the training part (quantile normalisation, Bolstad et al. 2003)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["NEUTRALISED", "content_box", "neutralise", "reference_greys"]

#: The ways, in the order of the tables.
NEUTRALISED = ("extent", "rim", "orientation", "intensity", "all")

_Grey = NDArray[np.uint8]  # (H, W)

#: Content is brighter than this share of the image's 99th percentile; air and its noise are not.
_CONTENT = 0.12
#: A row or column belongs to the head if this share of it is content; rows of letters and specks have less.
_FILLED = 0.03
_FRAME = 0.1
_QUANTILES = 256
_REFERENCE_IMAGES = 500


def neutralise(
    grey: _Grey, how: str, *, seed: tuple[int, ...], reference: NDArray[np.float64]
) -> _Grey:
    """Remove one cue from an image, or all of them.

    Args:
        grey: uint8, (H, W).
        how: One of ``NEUTRALISED``.
        seed: Fixes the orientation; include the image's number.
        reference: From ``reference_greys``.

    Returns:
        uint8, (H, W).

    Raises:
        ValueError: The way is unknown.
    """
    if how not in NEUTRALISED:
        raise ValueError(f"how is {how!r}, expected one of {', '.join(NEUTRALISED)}")
    if how in ("intensity", "all"):
        grey = _equalise(grey, reference)
    if how in ("extent", "all"):
        grey = _fill_with_content(grey)
    if how in ("orientation", "all"):
        grey = _turn(grey, np.random.default_rng(seed))
    if how in ("rim", "all"):
        grey = _framed(grey)
    return grey


def reference_greys(pixels: NDArray[np.uint8], rows: Sequence[int]) -> NDArray[np.float64]:
    """Return the mean distribution of the heads' greys, as quantiles.

    Args:
        pixels: uint8, (N, H, W).
        rows: Images of the training part; at most 500 of them, evenly spread, are looked at.

    Returns:
        (256,), rising, 0..255.
    """
    step = max(1, len(rows) // _REFERENCE_IMAGES)
    shares = np.linspace(0, 1, _QUANTILES)
    quantiles = [np.quantile(pixels[row][_is_content(pixels[row])], shares) for row in rows[::step]]
    return np.asarray(np.mean(quantiles, axis=0))


def content_box(grey: _Grey) -> tuple[int, int, int, int]:
    """Find the head: left, top, right, bottom; the whole image if nothing stands out."""
    content = _is_content(grey)
    rows = np.flatnonzero(content.mean(axis=1) >= _FILLED)
    columns = np.flatnonzero(content.mean(axis=0) >= _FILLED)
    if not (len(rows) and len(columns)):
        return 0, 0, grey.shape[1], grey.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _is_content(grey: _Grey) -> NDArray[np.bool_]:
    """Mark what is brighter than air; never empty unless the image is blank."""
    return np.asarray(grey >= max(1.0, _CONTENT * float(np.percentile(grey, 99))))


def _fill_with_content(grey: _Grey) -> _Grey:
    size = (grey.shape[1], grey.shape[0])
    image = Image.fromarray(grey)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=content_box(grey)))


def _framed(grey: _Grey) -> _Grey:
    H, W = grey.shape
    top, left = round(_FRAME * H), round(_FRAME * W)
    small = Image.fromarray(grey).resize((W - 2 * left, H - 2 * top), Image.Resampling.BILINEAR)
    framed = np.zeros_like(grey)
    framed[top : H - top, left : W - left] = np.asarray(small)
    return framed


def _turn(grey: _Grey, generator: np.random.Generator) -> _Grey:
    """Mirror or not, and turn by quarters; an image that is not square, by halves only."""
    is_square = grey.shape[0] == grey.shape[1]
    if generator.integers(2):
        grey = grey[:, ::-1]
    quarters = int(generator.integers(4)) if is_square else 2 * int(generator.integers(2))
    return np.ascontiguousarray(np.rot90(grey, quarters))


def _equalise(grey: _Grey, reference: NDArray[np.float64]) -> _Grey:
    """Give each grey of the head the reference's value at its mean rank: equal greys stay equal."""
    content = _is_content(grey)
    counts = np.bincount(grey[content], minlength=256)
    total = max(1, int(counts.sum()))
    ranks = (np.cumsum(counts) - counts / 2) / total  # of each grey, 0..1
    greys = np.rint(np.interp(ranks, np.linspace(0, 1, len(reference)), reference))
    return np.where(content, greys.astype(np.uint8)[grey], np.uint8(0))
