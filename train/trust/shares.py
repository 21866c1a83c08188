"""Shares of images, with an interval that spans two.

Images of one patient are not independent, so an interval comes from a bootstrap over patient groups. That has no width
where all images are alike, so Wilson's interval over images stands beside it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.figures.intervals import GroupBootstrap, wilson_interval
from edge_infer.figures.shares import envelope

__all__ = ["numbered", "share_by_patient"]


def share_by_patient(
    counted: NDArray[np.bool_],
    among: NDArray[np.bool_],
    groups: Sequence[str],
    bootstrap: GroupBootstrap,
) -> dict[str, Any]:
    """Return the mean over patient groups of the share of each group's images: each patient counts the same.

    Prediction sets promise this (``export.trust.set_fit``). A share of images is another figure: there a patient of
    sixty slices counts sixty times.

    Args:
        counted: (N,), which images count.
        among: (N,), the images that the share is of.
        groups: Patient group of each image.
        bootstrap: Of the N images.

    Returns:
        The figure with its interval; ``n`` is the number of groups.
    """
    numbers = numbered(groups)
    sizes = np.bincount(numbers[among], minlength=int(numbers.max(initial=0)) + 1)
    weights = np.where(among, 1 / np.maximum(sizes[numbers], 1), 0.0)  # (N,)

    def of_rows(rows: NDArray[np.int64]) -> float | None:
        total = weights[rows].sum()
        return float(weights[rows] @ counted[rows] / total) if total else None

    figure = asdict(bootstrap(of_rows)) | {"n": int(np.count_nonzero(sizes))}
    if figure["value"] is None:
        return figure
    by_group = asdict(wilson_interval(round(figure["value"] * figure["n"]), figure["n"]))
    return envelope(figure, by_group | {"value": figure["value"]})


def numbered(groups: Sequence[str]) -> NDArray[np.int64]:
    """Number the groups from 0; an image without a group is its own."""
    names = [group or f"image {row}" for row, group in enumerate(groups)]
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
