"""The stop-watch itself: order, counting, ratios."""

import time

from benchmarks.latency import measure, summarize


def test_engines_run_in_turn_and_the_order_is_reversed_every_other_round() -> None:
    calls: list[str] = []
    measure(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup_runs=1
    )
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]


def test_a_call_twice_as_long_is_half_as_fast() -> None:
    summary = summarize({"slow": [20.0, 22.0, 18.0], "fast": [10.0, 11.0, 9.0]})
    assert summary["fast"]["speedup"] == 2.0
    assert summary["slow"]["p50_ms"] == 20.0
    assert summary["slow"]["n"] == 3


def test_latencies_are_milliseconds_and_without_the_warm_up() -> None:
    latencies = measure({"sleep": lambda: time.sleep(0.01)}, rounds=4, warmup_runs=2)["sleep"]
    assert len(latencies) == 4
    assert all(10 <= value < 1000 for value in latencies)
