"""Whether classes, decisions or reasons are as frequent as they were: chi-squared, and each share with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.parts import Share
from edge_infer.drift.chances import chi_squared_tail
from edge_infer.figures.intervals import wilson_interval

__all__ = ["ShareTest", "compare_shares"]

#: Categories that would hold fewer are joined: chi-squared is no limit there (Cochran 1954).
_LEAST_EXPECTED = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTest:
    """How the shares of categories differ.

    Attributes:
        value: The largest difference of a share, without its sign.
        low: The end of that share's 95 % interval that is nearer to none; 0 where the interval holds 0.
        high: Its other end, without its sign.
        p: How likely chance alone is to part all shares so far.
        rows: By category: both shares, the difference and its interval.
    """

    value: float
    low: float
    high: float
    p: float
    rows: tuple[dict[str, Any], ...]


def compare_shares(reference: Share, window: Mapping[str, int]) -> ShareTest | None:
    """Compare shares; None if there is one category.

    Args:
        reference: Of the baseline.
        window: Counts by category; one may be new.
    """
    names = [*reference.counts, *(name for name in window if name not in reference.counts)]
    if len(names) < 2:
        return None
    n, m = sum(window.values()), reference.effective_n
    total = sum(reference.counts.values())
    before = np.array([reference.counts.get(name, 0) / total for name in names])
    after = np.array([window.get(name, 0) / n for name in names])
    differences = [
        _difference(old, m, new, n)
        for old, new in zip(before.tolist(), after.tolist(), strict=True)
    ]
    furthest = max(differences, key=lambda one: abs(one["difference"]))
    ends = sorted(abs(furthest[end]) for end in ("low", "high"))
    holds_none = furthest["low"] <= 0 <= furthest["high"]
    return ShareTest(
        value=abs(furthest["difference"]),
        low=0.0 if holds_none else ends[0],
        high=ends[1],
        p=_chance(before * m, after * n),
        rows=tuple({"name": name, **one} for name, one in zip(names, differences, strict=True)),
    )


def _chance(reference: NDArray[np.float64], window: NDArray[np.float64]) -> float:
    counts = np.stack([reference, window])  # (2, categories)
    share = counts.sum(axis=1) / counts.sum()
    order = np.argsort(counts.sum(axis=0))
    counts = counts[:, order]
    while counts.shape[1] > 1 and counts[:, 0].sum() * share.min() < _LEAST_EXPECTED:
        counts = np.concatenate([counts[:, 0:1] + counts[:, 1:2], counts[:, 2:]], axis=1)
        counts = counts[:, np.argsort(counts.sum(axis=0))]
    if counts.shape[1] < 2:
        return 1.0
    expected = share[:, None] * counts.sum(axis=0)
    value = float(((counts - expected) ** 2 / expected).sum())
    return chi_squared_tail(value, counts.shape[1] - 1)


def _difference(old: float, m: float, new: float, n: int) -> dict[str, float]:
    """Return the difference with Newcombe's hybrid score interval (1998, method 10)."""
    size = max(1, round(m))
    first, second = wilson_interval(round(new * n), n), wilson_interval(round(old * size), size)
    ends = [first.low or 0.0, first.high or 0.0, second.low or 0.0, second.high or 0.0]
    below = ((new - ends[0]) ** 2 + (ends[3] - old) ** 2) ** 0.5
    above = ((ends[1] - new) ** 2 + (old - ends[2]) ** 2) ** 0.5
    difference = new - old
    return {
        "reference": old,
        "window": new,
        "difference": difference,
        "low": max(-1.0, difference - below),
        "high": min(1.0, difference + above),
    }
