"""Pictures without what should not matter: how large the head is drawn, how it is turned, framed and exposed.

In BRISC 2025 width, height and mode alone tell tumour from no_tumor, and no_tumor also differs in field of view,
orientation and contrast. A model that lives on such cues loses here what it owes them; one that reads the tissue loses
little. Each way takes one cue from all pictures alike, ``all`` takes every one:

    extent      the head cut out of its background and stretched over the picture: its size, shape, position
    rim         the whole picture drawn smaller in a black frame of fixed width: whatever touches the rim
    orientation one of the eight ways to lay a square down, at random
    intensity   background black, the head's greys given the mean distribution of the training part (quantile
                normalisation, Bolstad et al. 2003): window, gamma, contrast, the sequence's overall greys
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["NEUTRALISED", "content_box", "neutralise", "reference_greys"]

#: The ways, in the order of the tables.
NEUTRALISED = ("extent", "rim", "orientation", "intensity", "all")

_Picture = NDArray[np.uint8]  # (H, W)

#: Content is brighter than this share of the picture's 99th percentile; air and its noise are not.
_CONTENT = 0.12
#: A row or column belongs to the head when this share of it is content: letters and specks do not.
_FILLED = 0.03
_FRAME = 0.1
_QUANTILES = 256
_REFERENCE_PICTURES = 500


def neutralise(
    picture: _Picture, how: str, *, seed: tuple[int, ...], reference: NDArray[np.float64]
) -> _Picture:
    """Take one cue from a picture, or all of them.

    Args:
        picture: uint8, (H, W).
        how: One of ``NEUTRALISED``.
        seed: Fixes the orientation; pass the picture's number in it.
        reference: From ``reference_greys``.

    Returns:
        uint8, (H, W).

    Raises:
        ValueError: An unknown way.
    """
    if how not in NEUTRALISED:
        raise ValueError(f"how is {how!r}, expected one of {', '.join(NEUTRALISED)}")
    if how in ("intensity", "all"):
        picture = _equalise(picture, reference)
    if how in ("extent", "all"):
        picture = _fill_with_content(picture)
    if how in ("orientation", "all"):
        picture = _turn(picture, np.random.default_rng(seed))
    if how in ("rim", "all"):
        picture = _framed(picture)
    return picture


def reference_greys(pixels: NDArray[np.uint8], rows: Sequence[int]) -> NDArray[np.float64]:
    """Return the mean distribution of the heads' greys, as quantiles.

    Args:
        pixels: uint8, (N, H, W).
        rows: Pictures of the training part; at most 500 of them, evenly spread, are looked at.

    Returns:
        (256,), rising, 0..255.
    """
    step = max(1, len(rows) // _REFERENCE_PICTURES)
    shares = np.linspace(0, 1, _QUANTILES)
    quantiles = [np.quantile(pixels[row][_is_content(pixels[row])], shares) for row in rows[::step]]
    return np.asarray(np.mean(quantiles, axis=0))


def content_box(picture: _Picture) -> tuple[int, int, int, int]:
    """Find the head: left, top, right, bottom; the whole picture where nothing stands out."""
    content = _is_content(picture)
    rows = np.flatnonzero(content.mean(axis=1) >= _FILLED)
    columns = np.flatnonzero(content.mean(axis=0) >= _FILLED)
    if not (len(rows) and len(columns)):
        return 0, 0, picture.shape[1], picture.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _is_content(picture: _Picture) -> NDArray[np.bool_]:
    """Mark what is brighter than air; there is always some, unless the picture is blank."""
    return np.asarray(picture >= max(1.0, _CONTENT * float(np.percentile(picture, 99))))


def _fill_with_content(picture: _Picture) -> _Picture:
    size = (picture.shape[1], picture.shape[0])
    image = Image.fromarray(picture)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=content_box(picture)))


def _framed(picture: _Picture) -> _Picture:
    H, W = picture.shape
    top, left = round(_FRAME * H), round(_FRAME * W)
    small = Image.fromarray(picture).resize((W - 2 * left, H - 2 * top), Image.Resampling.BILINEAR)
    framed = np.zeros_like(picture)
    framed[top : H - top, left : W - left] = np.asarray(small)
    return framed


def _turn(picture: _Picture, generator: np.random.Generator) -> _Picture:
    """Mirror or not, and turn by quarters; a picture that is no square only by halves."""
    is_square = picture.shape[0] == picture.shape[1]
    if generator.integers(2):
        picture = picture[:, ::-1]
    quarters = int(generator.integers(4)) if is_square else 2 * int(generator.integers(2))
    return np.ascontiguousarray(np.rot90(picture, quarters))


def _equalise(picture: _Picture, reference: NDArray[np.float64]) -> _Picture:
    """Give each grey of the head the reference's value at its mean rank: equal greys stay equal."""
    content = _is_content(picture)
    counts = np.bincount(picture[content], minlength=256)
    total = max(1, int(counts.sum()))
    ranks = (np.cumsum(counts) - counts / 2) / total  # of each grey, 0..1
    greys = np.rint(np.interp(ranks, np.linspace(0, 1, len(reference)), reference))
    return np.where(content, greys.astype(np.uint8)[picture], np.uint8(0))
