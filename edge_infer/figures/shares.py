"""Shares of images, with an interval that spans several.

Images of one patient are not independent, so an interval comes from a bootstrap over patient groups. That has no width
where all images are alike, so Wilson's interval over images stands beside it. No single one is kept: the one of greater
width may have the lower upper end, and would call a share small that the other does not.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.figures.intervals import GroupBootstrap, wilson_interval

__all__ = ["envelope", "grouped_share", "share"]

#: The name of an interval whose ends are of different ones.
_ENVELOPE = "envelope"
_ROUNDING = 1e-12


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
    return envelope(by_image, asdict(bootstrap(of_rows)) | {"n": n})


def grouped_share(
    counted: NDArray[np.bool_], among: NDArray[np.bool_], bootstrap: GroupBootstrap
) -> dict[str, Any]:
    """Return a share with its number and its groups; its interval spans Wilson's over groups, too.

    No case in 280 slices of 30 patients says as much as no case in 30 images, if slices of a patient are alike, and
    without a case nobody can know.

    Args:
        counted: (N,), which images count.
        among: (N,), the images that the share is of.
        bootstrap: Of the N images.
    """
    figure = share(counted, among, bootstrap)
    count, groups = int((counted & among).sum()), len(np.unique(bootstrap.groups[among]))
    if figure["value"] is not None:
        # Not rounded: a count rounded down would make the share smaller than it was seen to be.
        by_group = asdict(wilson_interval(figure["value"] * groups, groups))
        kept = {"value": figure["value"], "n": figure["n"], "interval": "wilson_of_groups"}
        figure = envelope(figure, by_group | kept)
    return {"count": count, **figure, "groups": groups}


def envelope(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the figure with an interval as wide as both: from the lower low to the higher high.

    Args:
        one: Returned as it is if its interval holds the other one, or if either is undefined.
        other: Of the same value.
    """
    if one["value"] is None or other["value"] is None or _holds(one, other):
        return one
    if _holds(other, one):
        return other
    ends = {"low": min(one["low"], other["low"]), "high": max(one["high"], other["high"])}
    return one | ends | {"interval": _ENVELOPE}


def _holds(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether the interval of one reaches as far as the other's on both sides, but for rounding."""
    return bool(one["low"] <= other["low"] + _ROUNDING and one["high"] >= other["high"] - _ROUNDING)
