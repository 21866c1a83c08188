"""Percentiles and ratios, compared with values computed by hand."""

import numpy as np
import pytest

from benchmarks.latency import ratio_of_medians, summarize


def test_percentiles_are_of_all_queries_of_all_rounds() -> None:
    summary = summarize([[float(10 * turn + step) for step in range(10)] for turn in range(10)])
    assert summary["n"] == 100
    assert summary["p50_ms"] == 49.5
    assert summary["p90_ms"] == pytest.approx(89.1)
    assert summary["min_ms"] == 0.0
    assert summary["p99_early_stopping_ms"] is None
    assert summary["p50_low_ms"] < 49.5 < summary["p50_high_ms"]


def test_a_call_twice_as_long_is_half_as_fast() -> None:
    slow, fast = [[20.0, 22.0], [18.0, 20.0]], [[10.0, 11.0], [9.0, 10.0]]
    ratio = ratio_of_medians(slow, fast)
    assert ratio["value"] == 2.0
    assert ratio["low"] <= 2.0 <= ratio["high"]


def test_a_disturbed_round_affects_all_engines_so_drift_cancels() -> None:
    """The machine is three times slower in half the rounds: the ratio stays precise, the medians do not."""
    drift = [1.0, 3.0] * 8
    generator = np.random.default_rng(0)
    slow = [[200 * factor * generator.normal(1, 0.001) for _ in range(4)] for factor in drift]
    fast = [[100 * factor * generator.normal(1, 0.001) for _ in range(4)] for factor in drift]
    ratio = ratio_of_medians(slow, fast)
    assert 1.99 < ratio["low"] <= ratio["high"] < 2.01
    assert summarize(fast)["p50_high_ms"] / summarize(fast)["p50_low_ms"] > 2


def test_rounds_of_different_runs_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not one run"):
        ratio_of_medians([[1.0]], [[1.0], [1.0]])
