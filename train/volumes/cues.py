"""Scores without a model: cues that could tell slices with a tumour from those without.

Most tumours do not lie at the ends of a volume, and they take up contrast agent. So a model's separation must be
compared with where in the volume a slice was cut, how much of it is head, how bright it is, and whether it resembles
other patients' slices with a tumour.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.metrics.baselines import thumbnails
from train.volumes.separation import area
from train.volumes.slices import Slice

__all__ = ["CUES", "cue_scores", "direction"]

#: The cues, and how a table names them.
CUES = {
    "mean_grey": "mean grey level",
    "bright_share": "share of bright pixels",
    "head_share": "share of the image that is head",
    "slice_position": "distance from the middle slice",
    "nearest_neighbour": "nearest slice of other patients",
}

_TOP = 99.5  # percentile: the brightest pixels are few, and often noise
_BRIGHT, _HEAD = 0.75, 0.15  # of that grey level


def cue_scores(
    slices: Sequence[Slice], pixels: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Return the score of every slice by each cue.

    Args:
        slices: N of one source.
        pixels: uint8, (N, H, W).

    Returns:
        float64, (N,), by the names of ``CUES``; NaN where a cue is unknown.
    """
    flat = pixels.reshape(len(pixels), -1)
    top = np.maximum(np.percentile(flat, _TOP, axis=1, keepdims=True), 1)
    return {
        "mean_grey": flat.mean(axis=1, dtype=np.float64),
        "bright_share": (flat > _BRIGHT * top).mean(axis=1, dtype=np.float64),
        "head_share": (flat > _HEAD * top).mean(axis=1, dtype=np.float64),
        "slice_position": _from_middle(slices),
        "nearest_neighbour": _resemblance(slices, pixels),
    }


def direction(tumour: NDArray[np.bool_], scores: NDArray[np.float64]) -> int:
    """Return -1 if a cue is lower for tumours, else 1.

    Nobody knows beforehand which way a cue points, so it is turned to where it separates these very slices. That
    favours the cues a little, and what a model must beat should rather be too strong than too weak.

    Args:
        tumour: (N,), whether a slice shows one.
        scores: (N,).
    """
    separated = area(tumour, scores)
    return -1 if separated is not None and separated < 0.5 else 1


def _from_middle(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """Return how far a slice is from the middle of its volume's slices: 0 there, 1 at its ends."""
    places = np.array(
        [np.nan if one.position is None else one.position for one in slices], dtype=np.float64
    )
    volumes = np.array([one.volume for one in slices])
    distances = np.full(len(slices), np.nan)
    for volume in set(volumes.tolist()) - {""}:
        inside = volumes == volume
        low, high = places[inside].min(), places[inside].max()
        distances[inside] = np.abs(places[inside] - (low + high) / 2) / max((high - low) / 2, 0.5)
    return distances


def _resemblance(slices: Sequence[Slice], pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how much more a slice resembles the nearest tumour of other patients than the nearest slice without.

    NaN where the other patients lack one of the two.
    """
    small = thumbnails(pixels).astype(np.float64)
    alike = small @ small.T
    patients = np.array([one.patient or f"slice {row}" for row, one in enumerate(slices)])
    alike[patients[:, None] == patients] = -np.inf
    tumour = np.array([one.shows_tumour for one in slices])
    tumours = alike[:, tumour].max(axis=1, initial=-np.inf)
    others = alike[:, ~tumour].max(axis=1, initial=-np.inf)
    known = np.isfinite(tumours) & np.isfinite(others)
    return np.where(known, np.where(known, tumours, 0) - np.where(known, others, 0), np.nan)
