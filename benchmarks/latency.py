"""Latencies of one run: percentiles, and speed ratios between engines.

A machine's speed drifts, so engines are measured in turn and compared by the ratio of their medians within one run,
never across runs. The interval is a bootstrap over rounds, since a disturbance in a round affects all engines (Efron
and Tibshirani 1993).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.early_stopping import early_stopping_estimate

__all__ = ["Rounds", "ratio_of_medians", "summarize"]

#: Milliseconds of each query, by round.
Rounds = Sequence[Sequence[float]]

_RESAMPLES = 1000


def summarize(rounds: Rounds) -> dict[str, Any]:
    """Return n, p50 with its interval, p90, p99, minimum, and MLPerf's early-stopping p90 and p99."""
    values = [value for queries in rounds for value in queries]
    p50, p90, p99 = (float(value) for value in np.percentile(values, [50, 90, 99]))
    low, high = np.percentile(_medians(rounds, _draws(len(rounds))), [2.5, 97.5])
    return {
        "n": len(values),
        "p50_ms": p50,
        "p50_low_ms": float(low),
        "p50_high_ms": float(high),
        "p90_ms": p90,
        "p99_ms": p99,
        "min_ms": min(values),
        "p90_early_stopping_ms": early_stopping_estimate(values, 0.90),
        "p99_early_stopping_ms": early_stopping_estimate(values, 0.99),
    }


def ratio_of_medians(baseline: Rounds, engine: Rounds) -> dict[str, Any]:
    """Return how many times faster the engine is than the baseline, with a 95 % interval.

    Raises:
        ValueError: They were not measured in the same rounds.
    """
    if len(baseline) != len(engine):
        raise ValueError(f"{len(baseline)} and {len(engine)} rounds: not one run")
    draws = _draws(len(engine))
    ratios = _medians(baseline, draws) / _medians(engine, draws)
    low, high = np.percentile(ratios, [2.5, 97.5])
    value = np.median(np.concatenate(baseline)) / np.median(np.concatenate(engine))
    return {"value": float(value), "low": float(low), "high": float(high), "rounds": len(engine)}


def _draws(rounds: int) -> Any:
    """Draw rounds; the same draws for all engines with this number of rounds."""
    return np.random.default_rng(0).integers(0, rounds, (_RESAMPLES, rounds))


def _medians(rounds: Rounds, draws: Any) -> Any:
    table = np.asarray(rounds)  # (rounds, queries of a round)
    return np.median(table[draws].reshape(len(draws), -1), axis=1)
