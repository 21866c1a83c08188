"""All tests of one group of images against one part of a baseline."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.parts import Part, Points
from edge_infer.drift.distances import Distance, Sample, kolmogorov_smirnov, stability_index
from edge_infer.drift.observing import MEASURES, Observations
from edge_infer.drift.projection import PROJECTION
from edge_infer.drift.share_test import compare_shares
from edge_infer.drift.two_sample import tell_apart

__all__ = ["LEAST_POINTS", "LEAST_WINDOW", "SHARES", "group_tests"]

#: With fewer images, chance alone looks like drift, and drift like chance.
LEAST_WINDOW = 200
#: Of the reference's embeddings, for a class alone.
LEAST_POINTS = 50

SHARES: Mapping[str, str] = {
    "label": "classes of the answers",
    "decision": "accepted or not",
    "reason": "first reason for not accepting",
}

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def group_tests(
    seen: Observations,
    rows: NDArray[np.intp],
    part: Part,
    points: Points | None,
    limits: Mapping[str, float],
    *,
    intervals: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield the tests of a group, each with its figure and p, not yet judged.

    Args:
        seen: The window.
        rows: Of the group.
        part: What it is compared with.
        points: The baseline's embeddings, of the same class if the group is one; None for none.
        limits: By name; a test without a limit is left out.
        intervals: Whether to draw intervals, which takes most of the time.
    """
    for column, name in enumerate(MEASURES):
        values = seen.values[rows, column].astype(np.float64)
        values = values[np.isfinite(values)]
        if name in part.quantiles and len(values) >= LEAST_WINDOW:
            yield from _measure_tests(name, values, part, limits, intervals=intervals)
    if "share" in limits:
        for kind in SHARES:
            yield from _share_tests(kind, seen, rows, part)
    if "two_sample" in limits and points is not None and points.projection == PROJECTION:
        window = seen.points[rows].astype(np.float64)
        window = window[np.isfinite(window).all(axis=1)]
        if len(window) >= LEAST_WINDOW and len(points.values) >= LEAST_POINTS:
            found = tell_apart(points.values, points.effective_n, window)
            yield {
                "measure": "embedding",
                "words": "embeddings, told apart by a classifier",
                "test": "two_sample",
                **_figure(found, len(window), points.effective_n),
            }


def _measure_tests(
    name: str,
    values: NDArray[np.float64],
    part: Part,
    limits: Mapping[str, float],
    *,
    intervals: bool,
) -> Iterator[dict[str, Any]]:
    reference, effective = part.quantiles[name], part.effective_n[name]
    # Where the images were few, the quantiles are their own values, and nothing is left open.
    resolution = 0.5 / len(reference) if part.n > len(reference) else 0.0
    sample = Sample(reference, effective, values, resolution=resolution)
    shared = {
        "measure": name,
        "words": MEASURES[name],
        "quantiles": {
            "at": list(_QUANTILES),
            "reference": np.quantile(reference, _QUANTILES).tolist(),
            "window": np.quantile(values, _QUANTILES).tolist(),
        },
    }
    for test, compute in (("ks", kolmogorov_smirnov), ("psi", stability_index)):
        if test in limits:
            found = compute(sample, intervals=intervals)
            yield {**shared, "test": test, **_figure(found, len(values), effective)}


def _share_tests(
    kind: str, seen: Observations, rows: NDArray[np.intp], part: Part
) -> Iterator[dict[str, Any]]:
    if kind not in part.shares or kind == part.by or len(rows) < LEAST_WINDOW:
        return
    names = seen.named(kind)
    found = compare_shares(part.shares[kind], Counter(names[row] for row in rows.tolist()))
    if found is None:
        return
    distance = Distance(value=found.value, low=found.low, high=found.high, p=found.p, by_chance=0.0)
    yield {
        "measure": kind,
        "words": SHARES[kind],
        "test": "share",
        **_figure(distance, len(rows), part.shares[kind].effective_n),
        "rows": list(found.rows),
    }


def _figure(found: Distance, n: int, reference_n: float) -> dict[str, Any]:
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "by_chance": found.by_chance,
        "n": n,
        "reference_effective_n": reference_n,
        "p": found.p,
    }
