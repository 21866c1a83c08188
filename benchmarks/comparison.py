"""Figures derived from a result, in one place for table, page and documents."""

from collections.abc import Mapping
from typing import Any

from benchmarks.latency import ratio_of_medians

__all__ = ["Result", "int8_slower", "points", "reference_speed", "rows", "share_of_peak", "speed"]

#: As returned by ``benchmarks.run.measure``.
Result = Mapping[str, Any]

_REFERENCE = "torch"
#: Each INT8 engine and the FP32 engine that would replace it.
_PAIRS = {
    "onnxruntime QDQ": "onnxruntime",
    "optimum dynamic": "optimum",
    "openvino nncf": "openvino",
}


def rows(result: Result, threads: str) -> list[dict[str, Any]]:
    """Return a row for each engine: its facts, timings at this number of threads, speed against PyTorch eager.

    Fastest first; engines that failed or are missing come last and have ``missing``.
    """
    timed = result["threads"][threads]["engines"]
    found = []
    for name, facts in result["engines"].items():
        timing = timed.get(name, {})
        missing = facts.get("missing") or timing.get("error")
        row: dict[str, Any] = {"name": name, **facts, "missing": missing}
        if not missing:
            row |= timing
            row["faster_than_torch"] = speed(result, threads, _REFERENCE, name)
            row["share_of_peak"] = share_of_peak(result, threads, name)
        found.append(row)
    return sorted(
        found, key=lambda row: (bool(row["missing"]), row.get("model_only", {}).get("p50_ms", 0.0))
    )


def speed(
    result: Result, threads: str, baseline: str, name: str, kind: str = "model_only"
) -> dict[str, Any] | None:
    """Return how many times faster an engine is than a baseline in the same rounds; None if one of them did not run."""
    timed = result["threads"].get(threads, {}).get("engines", {})
    own, other = timed.get(name, {}).get(kind), timed.get(baseline, {}).get(kind)
    if not own or not other:
        return None
    return ratio_of_medians(other["rounds_ms"], own["rounds_ms"])


def reference_speed(result: Result, baseline: str, name: str) -> dict[str, Any] | None:
    """Return how many times faster a new process of an engine gives its first answer than one of a baseline."""
    own, other = result["cold_start"].get(name, {}), result["cold_start"].get(baseline, {})
    if "rounds_ms" not in own or "rounds_ms" not in other:
        return None
    return ratio_of_medians(other["rounds_ms"], own["rounds_ms"])


def share_of_peak(result: Result, threads: str, name: str) -> dict[str, float] | None:
    """Return the share of the machine's peak speed that an engine reaches, at its median and at its best query.

    The work is that of the plain export for all engines; a rewritten graph may need less. None for precisions whose
    peak is not measured, and for other projects' models.
    """
    facts, measured = result["engines"][name], result["threads"][threads]
    peak = measured["peaks"].get(facts["precision"])
    timing = measured["engines"].get(name, {}).get("model_only")
    macs = result["model"]["macs"]
    if peak is None or timing is None or not macs or facts["own_preprocessing"]:
        return None
    bound_ms = 2 * sum(macs.values()) / peak["gops_best"] / 1e6
    return {
        "bound_ms": bound_ms,
        "at_median": bound_ms / timing["p50_ms"],
        "at_best": bound_ms / timing["min_ms"],
    }


def points(result: Result, threads: str) -> dict[str, tuple[float, float]]:
    """Return latency in milliseconds and accuracy of each engine that has both."""
    return {
        row["name"]: (row["model_only"]["p50_ms"], row["accuracy"]["accuracy"]["value"])
        for row in rows(result, threads)
        if not row["missing"] and "accuracy" in row
    }


def int8_slower(result: Result) -> list[str]:
    """Say where an INT8 model is slower than its FP32 model, and recommend FP32 there."""
    pairs = dict(_PAIRS)
    ours = {
        facts["precision"]: name
        for name, facts in result["engines"].items()
        if facts["family"] == "ours"
    }
    if {"int8", "fp32"} <= set(ours):
        pairs[ours["int8"]] = ours["fp32"]
    said = []
    for threads in result["threads"]:
        for int8, fp32 in pairs.items():
            found = speed(result, threads, fp32, int8)
            if found is not None and found["value"] < 1:
                said.append(
                    f"{int8} is slower than {fp32} at {threads} thread(s): {found['value']:.2f}x "
                    f"({found['low']:.2f}..{found['high']:.2f}); ship FP32 here"
                )
    return said
