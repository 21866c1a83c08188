"""The three kinds of counterfactual images, of one scan each."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift

from train.counterfactuals.donors import best_donor, head_mask
from train.counterfactuals.seams import Mask, grown, seamless

__all__ = ["Twin", "harmless", "pasted", "removed"]

Grey: TypeAlias = NDArray[np.uint8]

#: Around an outline, as a share of the image's side: what enhances or is pressed aside belongs to the tumour too.
_MARGIN = 0.018

_TRIES = 12

#: Least share of a pasted tumour, or of a harmless patch, that must lie inside the head.
_INSIDE_HEAD = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A changed image.

    Attributes:
        image: uint8, (H, W).
        mask: Where it shows tumour, bool, (H, W).
        region: What was changed, bool, (H, W).
    """

    image: Grey
    mask: Mask
    region: Mask


def removed(image: Grey, mask: Mask) -> Twin | None:
    """Cover the tumour with healthy tissue of the same scan, mirrored or moved.

    Args:
        image: uint8, (H, W).
        mask: The tumour, bool, (H, W).

    Returns:
        The scan without the tumour; None if nothing in it fits, or the tumour reaches the image's border.
    """
    if mask[[0, -1], :].any() or mask[:, [0, -1]].any():
        return None  # the seam needs a pixel beside the tumour to start from
    region = grown(mask, _margin(image))
    donor = best_donor(image, region, region)
    if donor is None:
        return None
    return Twin(image=seamless(image, region, donor), mask=np.zeros_like(mask), region=region)


def harmless(image: Grey, mask: Mask, shape: Mask, rng: np.random.Generator) -> Twin | None:
    """Cover a healthy place in the same way, so that seams and repeated tissue tell nothing.

    Args:
        image: uint8, (H, W), square: outlines are turned.
        mask: Its tumour, bool, (H, W); empty in a healthy head. It stays as it is.
        shape: Outline of some tumour, to be covered elsewhere, bool, (H, W).
        rng: Chooses the place.

    Returns:
        The changed scan with the same tumour; None if no place was found.
    """
    barred = grown(mask, 2 * _margin(image))
    patch = grown(shape, _margin(image))
    for place in _places(patch, head_mask(image), rng):
        if (place & barred).any():
            continue
        donor = best_donor(image, place, barred | place)
        if donor is not None:
            return Twin(image=seamless(image, place, donor), mask=mask.copy(), region=place)
    return None


def pasted(image: Grey, source: Grey, mask: Mask) -> Twin | None:
    """Put another scan's tumour into a healthy head, where it lay in its own.

    Args:
        image: A healthy head, uint8, (H, W).
        source: A scan with a tumour, of the same size, uint8, (H, W).
        mask: That tumour, bool, (H, W).

    Returns:
        The healthy head with the tumour; None if it does not lie inside the head there, or leaves the image.
    """
    ours, theirs = head_mask(image), head_mask(source)
    if not ours.any() or not theirs.any() or not mask.any():
        return None
    (top, left, height, width), (from_top, from_left, from_height, from_width) = (
        _box(ours),
        _box(theirs),
    )
    rows, columns = np.nonzero(mask)
    row, column = float(rows.mean()), float(columns.mean())
    down = round(top + (row - from_top) / from_height * height - row)
    right = round(left + (column - from_left) / from_width * width - column)
    donor = _moved(source.astype(np.float32), down, right)
    tumour = np.nan_to_num(_moved(mask.astype(np.float32), down, right)) > 0.5
    region = grown(tumour, _margin(image))
    if tumour.sum() < mask.sum() or float(ours[region].mean()) < _INSIDE_HEAD:
        return None
    if np.isnan(donor[grown(region, 1)]).any():
        return None
    contrast = float(image[ours].std()) / max(float(source[theirs].std()), 1.0)
    donor = np.nan_to_num(donor) * np.float32(np.clip(contrast, 0.7, 1.4))
    return Twin(image=seamless(image, region, donor), mask=tumour, region=region)


def _moved(image: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """Move an image by whole pixels; what comes in from outside is NaN."""
    result: NDArray[np.float32] = shift(image, (down, right), order=0, cval=np.nan)
    return result


def _margin(image: Grey) -> int:
    return max(1, round(_MARGIN * int(image.shape[0])))


def _box(mask: Mask) -> tuple[int, int, int, int]:
    """Return top, left, height and width."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1


def _places(patch: Mask, head: Mask, rng: np.random.Generator) -> list[Mask]:
    """Turn and move an outline to places inside the head."""
    found = []
    rows, columns = np.nonzero(head)
    if not len(rows) or not patch.any():
        return []
    for _ in range(_TRIES):
        turned = np.rot90(patch, int(rng.integers(4)))
        if rng.random() < 0.5:
            turned = turned[:, ::-1]
        own_rows, own_columns = np.nonzero(turned)
        goal = int(rng.integers(len(rows)))
        down = int(rows[goal] - own_rows.mean())
        right = int(columns[goal] - own_columns.mean())
        place = np.nan_to_num(_moved(turned.astype(np.float32), down, right)) > 0.5
        if place.sum() == turned.sum() and float(head[place].mean()) >= _INSIDE_HEAD:
            found.append(place)
    return found
