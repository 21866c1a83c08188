"""Milliseconds and memory as figures: percentiles, and the new bundle's over the old one's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.comparison.cost import SIDES, Cost

__all__ = ["cost_figures"]

_PERCENTILES = (50, 90, 99)
_RESAMPLES = 1000


def cost_figures(costs: Mapping[str, Cost]) -> dict[str, Any]:
    """Compute percentiles of each, and ratios new : old.

    Intervals of times are bootstraps over rounds, in which both had the same turn; answers of one round are not
    independent. Memory has as many values as starts, so its interval is the range.
    """
    figures: dict[str, Any] = {}
    for name in ("answer_ms", "inference_ms"):
        both = zip(*(getattr(costs[side], name) for side in SIDES), strict=False)
        rounds = [(old, new) for old, new in both if old and new]
        if rounds:
            figures[name] = {f"p{percent}": _times(rounds, percent) for percent in _PERCENTILES}
    for name in ("load_ms", "peak_mb"):
        old, new = (getattr(costs[side], name) for side in SIDES)
        if old and new:
            figures[name] = {
                "old": _range(old),
                "new": _range(new),
                "ratio": _range_ratio(old, new),
            }
    return figures


def _times(
    rounds: Sequence[tuple[Sequence[float], Sequence[float]]], percent: int
) -> dict[str, Any]:
    count = len(rounds)
    first, second = ([both[side] for both in rounds] for side in (0, 1))

    def of(times: Sequence[Sequence[float]], rows: NDArray[np.int64]) -> float:
        return float(np.percentile(np.concatenate([times[row] for row in rows]), percent))

    draws = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
    n = sum(map(len, second))

    def figure(statistic: Callable[[NDArray[np.int64]], float]) -> dict[str, Any]:
        low, high = np.percentile([statistic(rows) for rows in draws], [2.5, 97.5])
        return {
            "value": statistic(np.arange(count)),
            "n": n,
            "low": float(low),
            "high": float(high),
            "interval": "bootstrap_of_rounds",
        }

    return {
        "old": figure(lambda rows: of(first, rows)),
        "new": figure(lambda rows: of(second, rows)),
        "ratio": figure(lambda rows: of(second, rows) / of(first, rows)),
    }


def _range(values: Sequence[float]) -> dict[str, Any]:
    return {
        "value": float(np.median(values)),
        "n": len(values),
        "low": min(values),
        "high": max(values),
        "interval": "range",
    }


def _range_ratio(old: Sequence[float], new: Sequence[float]) -> dict[str, Any]:
    return {
        "value": float(np.median(new) / np.median(old)),
        "n": len(new),
        "low": min(new) / max(old),
        "high": max(new) / min(old),
        "interval": "range",
    }
