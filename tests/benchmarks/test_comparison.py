"""Figures derived from a result, and its warnings."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.comparison import int8_slower, rows, share_of_peak, speed
from benchmarks.promises import verdicts
from benchmarks.text_table import text_table
from edge_infer.contract import RESEARCH_USE_ONLY

Result = dict[str, Any]


def test_rows_are_fastest_first_with_ratios_over_torch_and_the_missing_last(result: Result) -> None:
    found = rows(result, "1")
    assert [row["name"] for row in found] == [
        "brain-edge int8",
        "onnxruntime QDQ",
        "brain-edge fp32",
        "onnxruntime",
        "torch",
        "openvino nncf",
    ]
    assert found[0]["faster_than_torch"]["value"] == pytest.approx(5.0)
    assert found[-1]["missing"] == "peer openvino is not installed"


def test_the_share_of_the_peak_is_work_over_speed_over_time(result: Result) -> None:
    # 2 Gop at 400 Gop/s take 5 ms; INT8 took 20 at its best.
    share = share_of_peak(result, "1", "brain-edge int8")
    assert share
    assert share["bound_ms"] == pytest.approx(5.0)
    assert share["at_best"] == pytest.approx(0.25)
    assert share["at_median"] < share["at_best"]


def test_engines_of_different_runs_have_no_ratio(result: Result) -> None:
    assert speed(result, "1", "openvino nncf", "brain-edge int8") is None
    assert speed(result, "8", "torch", "brain-edge int8") is None


def test_an_int8_slower_than_its_fp32_is_reported(
    result: Result, result_with: Callable[..., Result]
) -> None:
    assert int8_slower(result) == []
    slow = result_with(brain_edge_int8=55.0, onnxruntime_QDQ=70.0)
    said = int8_slower(slow)
    assert len(said) == 2
    assert any(
        "brain-edge int8 is slower than brain-edge fp32" in line and "ship FP32" in line
        for line in said
    )
    assert all(f"warning: {line}" in text_table(slow) for line in said)


def test_promises_are_reached_missed_or_not_measured(result_with: Callable[..., Result]) -> None:
    found = {it.what: it.reached for it in verdicts(result_with())}
    assert found["INT8 against torch, 1 thread(s)"] is True
    assert found["INT8 against openvino nncf, 1 thread(s)"] is None
    assert found["share of the machine's INT8 speed, 1 thread(s)"] is False
    assert found["INT8 file against FP32"] is True
    assert found["cold start against torch + transformers"] is True
    slower = {it.what: it.reached for it in verdicts(result_with(brain_edge_int8=26.0))}
    assert slower["INT8 against torch, 1 thread(s)"] is False


def test_a_run_on_a_busy_machine_is_called_that(result: Result) -> None:
    assert "a clean run" in text_table(result)
    result |= {"clean": False, "unclean_reasons": ["other processes took 40 % of the machine"]}
    text = text_table(result)
    assert "NOT A CLEAN RUN: other processes took 40 % of the machine" in text
    assert "a clean run" not in text


def test_the_table_marks_percentiles_of_few_queries_and_names_the_missing(result: Result) -> None:
    lines = text_table(result).splitlines()
    fastest = next(line for line in lines if line.startswith("brain-edge int8"))
    # 64 queries: p90 has MLPerf's bound, the slowest of them; p99 would need 662.
    assert " 20.3 " in fastest
    assert " ~20.3 " in fastest
    assert any("openvino nncf" in line and "missing: peer openvino" in line for line in lines)
    assert lines[-1] == RESEARCH_USE_ONLY
