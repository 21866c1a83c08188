"""Choose among quantized graphs: the best that passes the gate on clean and on corrupted images."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_infer.errors import QualityGateFailed
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from edge_infer.session import Session
from export.answers import logits_one_by_one
from export.int8.calibration import ExportImages
from export.int8.corrupted_gate import CorruptedReport, judge_corrupted
from export.int8.gate import MAX_PROBABILITY_DIFFERENCE, GateReport, judge
from export.int8.variants import Variant
from export.sessions import largest_weight, open_graph
from train.data.samples import Progress

__all__ = ["Chosen", "Tried", "choose"]

_ROUNDS = 21

#: A static graph does the least work and gives an image the same answer alone and in any batch; a dynamic one takes
#: its ranges over the batch.
_CHEAPEST_FIRST = ("static", "mixed", "dynamic")

#: Up to this factor two differences from FP32 count as equal.
_AS_GOOD = 1.25

#: A difference that counts as none.
_AS_NONE = MAX_PROBABILITY_DIFFERENCE / 10

#: How many of those that failed are named where all failed: those that came closest.
_NAMED = 3


@dataclass(slots=True, kw_only=True)
class Tried:
    """One variant and what was found.

    Attributes:
        variant: The graph and how it was made.
        report: Of the gate.
        size_bytes: Of the graph.
        p50_ms: Median latency of one image with one thread, measured in turn with the others; None if it was not
            measured.
        corrupted: Of the gate on corrupted images; None if it was not asked.
    """

    variant: Variant = field(repr=False)
    report: GateReport
    size_bytes: int
    p50_ms: float | None = None
    corrupted: CorruptedReport | None = None

    @property
    def passed(self) -> bool:
        """Whether no gate that was asked failed."""
        return self.report.passed and (self.corrupted is None or self.corrupted.passed)

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not hold, in words."""
        return self.report.failures + (() if self.corrupted is None else self.corrupted.failures)

    def line(self) -> str:
        """Say in one line what came of the gates that were asked."""
        share = self.report.table["agreement"]["value"] or 0
        name = f"  {self.variant.name:<24}{100 * share:>7.2f} %"
        if self.passed:
            return f"{name}  passed"
        more = len(self.failures) - 1
        return f"{name}  failed: {self.failures[0]}" + (f" (and {more} more)" if more else "")

    def text(self) -> str:
        """Render the tables of the gates that were asked."""
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
        best: What is shipped.
        tried: All that were tried, in their order.
        fp32_p50_ms: Latency of the FP32 graph in the same run.
    """

    best: Tried
    tried: tuple[Tried, ...]
    fp32_p50_ms: float

    def summary(self) -> str:
        """Say in one line what was chosen."""
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
        """Render what was tried as a table."""
        lines = [
            f"{'tried':<24}{'gate':>8}{'agreement':>11}{'flips by class':>18}{'p50 ms':>9}{'MB':>7}"
        ]
        for entry in self.tried:
            table = entry.report.table
            flips = "/".join(str(row["flips"]) for row in table["per_class"].values())
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
    config: PreprocessorConfig,
    *,
    quick: bool = False,
    cache: Path | None,
    step: Callable[[str], None],
    details: Callable[[str], None],
    progress: Progress,
) -> Chosen:
    """Judge the variants on the validation images and take the best that passes.

    With phantoms the first that passes is taken: they can tell that a quantization is broken, not which is best.

    Args:
        variants: Made lazily.
        reference: The FP32 graph.
        images: The gate's.
        config: How they become pixel values.
        quick: Take the first that passes both gates, instead of the best of all.
        cache: Folder for FP32 answers on corrupted images, so that a killed run goes on.
        step: Told in a line what is being done and what came of it.
        details: Told every table.
        progress: Told how far the corrupted images are.

    Raises:
        QualityGateFailed: None passes.
    """
    asked = open_graph(reference, num_threads=1)
    answers = logits_one_by_one(asked, images.gate, config)
    tried: list[Tried] = []
    sessions: list[Session] = []

    def judge_on_corrupted(entry: Tried) -> None:
        step(f"judging {entry.variant.name} on corrupted images too")
        entry.corrupted = judge_corrupted(
            asked,
            sessions[tried.index(entry)],
            images,
            config,
            variants=images.corrupted,
            cache=cache,
            progress=progress,
        )
        details(entry.corrupted.text())
        if not entry.passed:
            step(entry.line())

    for variant in variants:
        session = open_graph(variant.graph, num_threads=1)
        quantized = logits_one_by_one(session, images.gate, config)
        report = judge(images.gate_labels, answers, quantized)
        entry = Tried(variant=variant, report=report, size_bytes=variant.graph.ByteSize())
        tried.append(entry)
        sessions.append(session)
        step(entry.line())
        details(entry.text())
        if entry.passed and (quick or images.synthetic):
            judge_on_corrupted(entry)
            if entry.passed:
                break
    *latencies, fp32_p50_ms = _medians_ms([*sessions, asked], images.gate[:1], config)
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
    hint = "calibrate on images like those of the training, or ship --fp16 or --fp32"
    if all(0 < largest_weight(entry.variant.graph) < 2**6 for entry in tried):
        hint = f"take --target x64-vnni, whose 8 bits are right everywhere, {hint}"
    return QualityGateFailed(
        f"no INT8 model passed the gate ({'; '.join(reasons)}); nothing was written", hint=hint
    )


def _best_first(tried: list[Tried]) -> list[Tried]:
    """Order those that passed so far: the cheapest form among the most faithful, then by faithfulness.

    Most faithful are those whose difference counts as none; where none has so little, those that come close to the
    least. Of two mixed ones that count as none, the one that leaves more layers static is the cheaper.

    A gate of some hundred images hardly tells two that pass apart, and new patients do: a CvT-13 with all ranges
    static kept every answer on 589 validation images and changed 6 of 813 on the test part, with twice the
    difference of the mixed one. Latency is measured and reported but decides nothing: it would make two exports of one
    checkpoint differ by what else the machine was doing.
    """
    passed = sorted((entry for entry in tried if entry.passed), key=_difference)
    if not passed:
        return []
    enough = max(_AS_NONE, _AS_GOOD * _difference(passed[0]))
    faithful = [entry for entry in passed if _difference(entry) <= enough]
    faithful.sort(key=_cost)
    return [*faithful, *passed[len(faithful) :]]


def _cost(entry: Tried) -> tuple[int, bool, int]:
    """Order by form; within one, what counts as none by its exceptions, the rest as it stands: by difference."""
    form = entry.variant.description
    counts = _difference(entry) > _AS_NONE
    exceptions = 0 if counts else len(form.get("not_static", ()))
    return _CHEAPEST_FIRST.index(form["method"]), counts, exceptions


def _difference(entry: Tried) -> float:
    return float(entry.report.table["mean_abs_probability_difference"])


def _medians_ms(
    sessions: list[Session], image: NDArray[np.uint8], config: PreprocessorConfig
) -> list[float]:
    """Time the sessions in turn: latencies of one run can be compared, those of two cannot."""
    pixel_values = to_pixel_values(image, config)
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(_ROUNDS):
        for session, times in zip(sessions, taken, strict=True):
            started = time.perf_counter()
            session.run(pixel_values)
            times.append(1000 * (time.perf_counter() - started))
    return [float(np.median(times)) for times in taken]
