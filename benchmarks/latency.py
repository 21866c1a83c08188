"""Latency of bundles, one picture at a time, side by side in one run.

MLPerf's SingleStream idea: one query after another, percentiles of latency after warm-up. Machines drift, so engines
are driven in turn and compared as ratios of medians within the run, never across runs.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["measure", "summarize"]


def measure(
    engines: Mapping[str, Callable[[], object]], *, rounds: int, warmup_runs: int = 5
) -> dict[str, list[float]]:
    """Time each engine ``rounds`` times, in turn, the order reversed every other round.

    Args:
        engines: By name: a call that classifies one picture.
        rounds: Timed calls of each engine.
        warmup_runs: Calls before that are not counted.

    Returns:
        Latencies by name, in milliseconds.
    """
    for call in engines.values():
        for _ in range(warmup_runs):
            call()
    latencies_ms: dict[str, list[float]] = {name: [] for name in engines}
    names = list(engines)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            started = time.perf_counter()
            engines[name]()
            latencies_ms[name].append(1000 * (time.perf_counter() - started))
    return latencies_ms


def summarize(latencies_ms: Mapping[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Return p50, p90, p99 of each engine and its speed-up over the first, as the ratio of medians."""
    first = float(np.median(next(iter(latencies_ms.values()))))
    summary: dict[str, dict[str, Any]] = {}
    for name, values in latencies_ms.items():
        p50, p90, p99 = (float(value) for value in np.percentile(values, [50, 90, 99]))
        summary[name] = {
            "n": len(values),
            "p50_ms": p50,
            "p90_ms": p90,
            "p99_ms": p99,
            "speedup": first / p50,
        }
    return summary
