"""The choice among quantized graphs: the best that passes the gate on clean and on corrupted images."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edge_infer.errors import QualityGateFailed
from edge_infer.session import Session
from export.answers import logits_one_by_one
from export.gate_tables import flips_by_class
from export.int8.calibration import ExportImages
from export.int8.corrupted_gate import CorruptedReport, judge_corrupted
from export.int8.gate import MAX_PROBABILITY_DIFFERENCE, GateReport, judge
from export.int8.variants import Variant
from export.model_inputs import ModelInputs
from export.sessions import largest_weight, open_graph
from train.data.samples import Progress

__all__ = ["Chosen", "Tried", "choose"]

_ROUNDS = 21

#: A static graph computes least, and it answers an image alone as in any batch; a dynamic graph takes its ranges over
#: the batch.
_CHEAPEST_FIRST = ("static", "mixed", "dynamic")

#: Up to this factor two differences from FP32 count as equal.
_AS_GOOD = 1.25

#: A difference up to this counts as none.
_AS_NONE = MAX_PROBABILITY_DIFFERENCE / 10

#: Where all failed, the number of variants that the message names: those that came closest.
_NAMED = 3


@dataclass(slots=True, kw_only=True)
class Tried:
    """One variant, and the result of its tests.

    Attributes:
        variant: The graph, and how it was made.
        report: The verdict on clean images.
        size_bytes: Size of the graph.
        p50_ms: Median latency of one image with one thread, in milliseconds, measured in turn with the other variants;
            None if it was not measured.
        corrupted: The verdict on corrupted images; None if the variant was not judged on them.
    """

    variant: Variant = field(repr=False)
    report: GateReport
    size_bytes: int
    p50_ms: float | None = None
    corrupted: CorruptedReport | None = None

    @property
    def passed(self) -> bool:
        """Whether it passed every gate that judged it."""
        return self.report.passed and (self.corrupted is None or self.corrupted.passed)

    @property
    def failures(self) -> tuple[str, ...]:
        """What it failed, in words."""
        return self.report.failures + (() if self.corrupted is None else self.corrupted.failures)

    def line(self) -> str:
        """Return the verdict in one line."""
        share = self.report.table["agreement"]["value"] or 0
        name = f"  {self.variant.name:<24}{100 * share:>7.2f} %"
        if self.passed:
            return f"{name}  passed"
        more = len(self.failures) - 1
        return f"{name}  failed: {self.failures[0]}" + (f" (and {more} more)" if more else "")

    def text(self) -> str:
        """Render the tables of the gates that judged it."""
        tables = [self.report.text()] + ([] if self.corrupted is None else [self.corrupted.text()])
        return f"{self.variant.name}\n" + "\n\n".join(tables)

    def table(self) -> dict[str, Any]:
        """Return the figures for the manifest."""
        return {
            "passed": self.passed,
            "p50_ms": None if self.p50_ms is None else round(self.p50_ms, 2),
            "size_bytes": self.size_bytes,
            **self.report.table,
            "corrupted": None if self.corrupted is None else self.corrupted.table,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The result.

    Attributes:
        best: The variant that ships.
        tried: All variants that were tried, in their order.
        fp32_p50_ms: Median latency of the FP32 graph, in milliseconds, measured in turn with the variants.
    """

    best: Tried
    tried: tuple[Tried, ...]
    fp32_p50_ms: float

    def summary(self) -> str:
        """Return in one line what was chosen."""
        best = self.best
        slower = (
            "; INT8 is slower than FP32 here: ship --fp32 where speed counts more than size"
            if (best.p50_ms or 0) > self.fp32_p50_ms
            else ""
        )
        return (
            f"chosen: {best.variant.name}, {best.size_bytes / 1e6:.1f} MB, {best.p50_ms or 0:.1f} ms an image with "
            f"one thread (FP32 {self.fp32_p50_ms:.1f}){slower}"
        )

    def text(self) -> str:
        """Render all variants that were tried as a table."""
        lines = [
            f"{'tried':<24}{'gate':>8}{'agreement':>11}{'flips by class':>18}{'p50 ms':>9}{'MB':>7}"
        ]
        for entry in self.tried:
            table = entry.report.table
            flips = flips_by_class(table["per_class"])
            latency = "-" if entry.p50_ms is None else f"{entry.p50_ms:.1f}"
            lines.append(
                f"{entry.variant.name:<24}{'passed' if entry.passed else 'FAILED':>8}"
                f"{100 * (table['agreement']['value'] or 0):>10.2f}%{flips:>18}{latency:>9}"
                f"{entry.size_bytes / 1e6:>7.1f}"
            )
        lines.append(f"{'fp32':<24}{'':>37}{self.fp32_p50_ms:>9.1f}")
        return "\n".join(lines)


def choose(
    variants: Iterable[Variant],
    reference: onnx.ModelProto,
    images: ExportImages,
    *,
    quick: bool = False,
    cache: Path | None,
    step: Callable[[str], None],
    details: Callable[[str], None],
    progress: Progress,
) -> Chosen:
    """Judge the variants on the validation images and take the best that passes.

    With phantoms the first that passes is taken: they can show that a quantization is broken, but not which is best.

    Args:
        variants: Each is made when it is asked for.
        reference: The FP32 graph.
        images: For the gate.
        quick: Take the first that passes both gates, instead of the best of all.
        cache: Folder for FP32 answers on corrupted images, so that an interrupted export can continue.
        step: Given one line about each step and its result.
        details: Given every table.
        progress: Called with (done, total) while corrupted images are judged.

    Raises:
        QualityGateFailed: None passes.
    """
    asked = open_graph(reference, num_threads=1)
    answers = logits_one_by_one(asked, images.gate)
    tried: list[Tried] = []
    sessions: list[Session] = []

    def judge_on_corrupted(entry: Tried) -> None:
        step(f"judging {entry.variant.name} on corrupted images too")
        entry.corrupted = judge_corrupted(
            asked,
            sessions[tried.index(entry)],
            images,
            variants=images.corrupted,
            cache=cache,
            progress=progress,
        )
        details(entry.corrupted.text())
        if not entry.passed:
            step(entry.line())

    for variant in variants:
        session = open_graph(variant.graph, num_threads=1)
        quantized = logits_one_by_one(session, images.gate)
        report = judge(images.gate_labels, answers, quantized, images.classes)
        entry = Tried(variant=variant, report=report, size_bytes=variant.graph.ByteSize())
        tried.append(entry)
        sessions.append(session)
        step(entry.line())
        details(entry.text())
        if entry.passed and (quick or images.synthetic):
            judge_on_corrupted(entry)
            if entry.passed:
                break
    *latencies, fp32_p50_ms = _medians_ms([*sessions, asked], images.gate[:1])
    for entry, latency in zip(tried, latencies, strict=True):
        entry.p50_ms = latency
    for entry in _best_first(tried):
        if entry.corrupted is None:
            judge_on_corrupted(entry)
        if entry.passed:
            chosen = Chosen(best=entry, tried=tuple(tried), fp32_p50_ms=fp32_p50_ms)
            details(f"{chosen.text()}\n{chosen.summary()}")
            return chosen
    raise _none_passed(tried)


def _none_passed(tried: list[Tried]) -> QualityGateFailed:
    closest = sorted(tried, key=lambda entry: -(entry.report.table["agreement"]["value"] or 0))
    reasons = [f"{entry.variant.name}: {', '.join(entry.failures)}" for entry in closest[:_NAMED]]
    if len(closest) > _NAMED:
        reasons.append(f"{len(closest) - _NAMED} more")
    hint = "calibrate on images like the training images, or export with --fp16 or --fp32"
    if all(0 < largest_weight(entry.variant.graph) < 2**6 for entry in tried):
        hint = f"use --target x64-vnni, which is right on every processor, {hint}"
    return QualityGateFailed(
        f"no INT8 model passed the gate ({'; '.join(reasons)}); nothing was written", hint=hint
    )


def _best_first(tried: list[Tried]) -> list[Tried]:
    """Return those that passed so far, best first: the cheapest form among the most faithful, then by faithfulness.

    The most faithful variants are those whose difference from FP32 counts as none. If there are none, they are those
    whose difference is close to the smallest. Of two mixed variants whose difference counts as none, the one that
    leaves more layers static is the cheaper.

    A gate of some hundred images hardly distinguishes two variants that pass, but new patients do: a CvT-13 with all
    ranges static kept every answer on 589 validation images and changed 6 of 813 on the test part, with twice the
    difference of the mixed variant. Latency is measured and reported, but it decides nothing: otherwise two exports of
    one checkpoint could differ because the machine was busy.
    """
    passed = sorted((entry for entry in tried if entry.passed), key=_difference)
    if not passed:
        return []
    enough = max(_AS_NONE, _AS_GOOD * _difference(passed[0]))
    faithful = [entry for entry in passed if _difference(entry) <= enough]
    faithful.sort(key=_cost)
    return [*faithful, *passed[len(faithful) :]]


def _cost(entry: Tried) -> tuple[int, bool, int]:
    """Return the key to sort by: the form; then those whose difference counts as none, by layers not static.

    The rest of a form stays in its order, by difference.
    """
    form = entry.variant.description
    counts = _difference(entry) > _AS_NONE
    exceptions = 0 if counts else len(form.get("not_static", ()))
    return _CHEAPEST_FIRST.index(form["method"]), counts, exceptions


def _difference(entry: Tried) -> float:
    return float(entry.report.table["mean_abs_probability_difference"])


def _medians_ms(sessions: list[Session], image: ModelInputs) -> list[float]:
    """Time the sessions in turn, because latencies of two separate runs cannot be compared."""
    pixel_values = image.pixel_values()
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(_ROUNDS):
        for session, times in zip(sessions, taken, strict=True):
            started = time.perf_counter()
            session.run(pixel_values)
            times.append(1000 * (time.perf_counter() - started))
    return [float(np.median(times)) for times in taken]
