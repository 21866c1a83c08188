"""How far probabilities moved."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.comparison.pairs import Pairs

__all__ = ["BIN_EDGES", "probability_shift"]

_TOP_PERCENTILES = (95, 99)
#: Of the histogram of largest differences.
BIN_EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)

_Floats = NDArray[np.float64]


def probability_shift(pairs: Pairs) -> dict[str, Any]:
    """Return how far probabilities moved.

    Of an image, the shift is the largest absolute difference over its classes, 0 to 1. Of a class, it is the absolute
    difference of its own probability; ``signed`` keeps the sign, so it shows a class that gained.
    """
    difference = pairs.new.probabilities - pairs.old.probabilities  # (N, classes)
    largest = np.abs(difference).max(axis=1)
    counts, _ = np.histogram(largest, BIN_EDGES)
    return {
        **_spread(pairs, largest),
        "histogram": {"edges": list(BIN_EDGES), "counts": counts.tolist()},
        "per_class": {
            name: {
                **_spread(pairs, np.abs(difference[:, number])),
                "signed": _figure(pairs, difference[:, number], _mean),
            }
            for number, name in enumerate(pairs.classes.names)
        },
    }


def _spread(pairs: Pairs, values: _Floats) -> dict[str, Any]:
    figures: dict[str, Any] = {"mean": _figure(pairs, values, _mean)}
    for percent in _TOP_PERCENTILES:
        figures[f"p{percent}"] = _figure(pairs, values, partial(_percentile, percent=percent))
    return {**figures, "largest": float(values.max())}


def _figure(pairs: Pairs, values: _Floats, statistic: Callable[[_Floats], float]) -> dict[str, Any]:
    return asdict(pairs.bootstrap(lambda rows: statistic(values[rows])))


def _mean(values: _Floats) -> float:
    return float(values.mean())


def _percentile(values: _Floats, percent: int) -> float:
    return float(np.percentile(values, percent))
