"""Shares of images, with the wider of two intervals.

Images of one patient are not independent, so an interval comes from a bootstrap over patient groups. That has no width
where all images are alike, so Wilson's interval over images stands in for it there.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.figures.intervals import GroupBootstrap, wilson_interval

__all__ = ["share", "wider"]


def share(
    counted: NDArray[np.bool_], among: NDArray[np.bool_], bootstrap: GroupBootstrap
) -> dict[str, Any]:
    """Return how many of some images are counted, as a figure with its interval.

    Args:
        counted: (N,), which images count.
        among: (N,), the images that the share is of.
        bootstrap: Of the N images.
    """

    def of_rows(rows: NDArray[np.int64]) -> float | None:
        chosen = rows[among[rows]]
        return float(counted[chosen].mean()) if len(chosen) else None

    n = int(among.sum())
    by_image = asdict(wilson_interval(int((counted & among).sum()), n))
    return wider(by_image, asdict(bootstrap(of_rows)) | {"n": n})


def wider(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the figure with the wider interval; the first if they are equal or the other is undefined."""
    if one["value"] is None or other["value"] is None:
        return one
    return max(one, other, key=lambda it: float(it["high"] - it["low"]))
