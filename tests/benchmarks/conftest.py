"""A result as brain-bench writes it, with figures that are easy to check by hand."""

import os
from collections.abc import Callable
from typing import Any

import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from benchmarks.latency import summarize

Result = dict[str, Any]

#: Name, family, precision, milliseconds, right answers in percent.
ENGINES = (
    ("brain-edge fp32", "ours", "fp32", 50.0, 90.0),
    ("brain-edge int8", "ours", "int8", 20.0, 89.9),
    ("torch", "torch", "fp32", 100.0, 90.0),
    ("onnxruntime", "ort", "fp32", 60.0, 90.0),
    ("onnxruntime QDQ", "ort-qdq", "int8", 30.0, 80.0),
)


def timing(milliseconds: float, rounds: int = 16) -> dict[str, Any]:
    rounds_ms = [[milliseconds * (1 + 0.001 * turn)] * 4 for turn in range(rounds)]
    return {**summarize(rounds_ms), "rounds_ms": rounds_ms}


def share(percent: float) -> dict[str, Any]:
    value = percent / 100
    return {"value": value, "n": 800, "low": value - 0.02, "high": value + 0.02, "interval": "x"}


def make_result(**changes: float) -> Result:
    """Make a result; ``changes`` gives other milliseconds by engine, spaces as underscores."""
    engines, timed = {}, {}
    for name, family, precision, milliseconds, percent in ENGINES:
        taken = changes.get(name.replace(" ", "_").replace("-", "_"), milliseconds)
        engines[name] = {
            "family": family,
            "title": f"what {name} is",
            "precision": precision,
            "own_preprocessing": False,
            "model_bytes": 20_000_000 if precision == "int8" else 80_000_000,
            "accuracy": {
                "n": 800,
                "accuracy": share(percent),
                "macro_f1": share(percent),
                "ece": share(5),
            },
            "against_torch": {"same_class": share(99.8)},
        }
        timed[name] = {
            "versions": {"numpy": "2.0"},
            "peak_memory_bytes": 100_000_000,
            "model_only": timing(taken),
            "end_to_end": timing(taken + 3),
            "throughput": {"8": {"pictures_per_second": 1000 / taken, "n": 2}},
            "preprocessing": timing(2.0),
        }
    engines["openvino nncf"] = {
        "family": "nncf",
        "title": "a peer",
        "precision": "int8",
        "own_preprocessing": False,
        "missing": "peer openvino is not installed",
    }
    return {
        "schema_version": 1,
        "research_use_only": "Research use only.",
        "complete": True,
        "clean": True,
        "unclean_reasons": [],
        "command": "brain-bench run --model cvt13",
        "made_on": "2026-01-01",
        "environment": {
            "cpu": "a processor",
            "cpu_flags": ["avx2"],
            "cores": 2,
            "usable_cores": 2,
            "python": "3.11",
            "system": "Linux",
            "versions": {"brain-edge": "0.1"},
            "commit": "abc",
        },
        "model": {
            "name": "cvt13",
            "image_size": {"height": 224, "width": 224},
            "data": "a set",
            "scans": 4,
            "macs": {"MatMul": 1_000_000_000},
        },
        "install_bytes": {"total": 200_000_000, "without_weights": 140_000_000},
        "settings": {"rounds": 16, "cold_rounds": 3, "threads": [1]},
        "engines": engines,
        "threads": {
            "1": {
                "engines": timed,
                "peaks": {
                    "fp32": {"gops_best": 100.0, "gops_median": 90.0, "n": 64},
                    "int8": {"gops_best": 400.0, "gops_median": 390.0, "n": 64},
                },
            }
        },
        "cold_start": {
            "brain-edge int8": {**timing(500.0, 3), "peak_memory_bytes": 110_000_000},
            "torch": {**timing(9000.0, 3), "peak_memory_bytes": 1_000_000_000},
        },
        "load": {
            "1": {"load_before": 0.1, "others_share": 0.01, "stolen_share": 0.0, "seconds": 60.0}
        },
    }


@pytest.fixture
def result() -> Result:
    return make_result()


@pytest.fixture
def result_with() -> Callable[..., Result]:
    return make_result
