"""Choose among quantized graphs: the best that passes the gate on clean and on corrupted pictures."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import QualityGateFailed
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from edge_infer.session import Session
from export.calibration import ExportPictures
from export.corrupted_gate import CorruptedReport, judge_corrupted
from export.gate import MAX_PROBABILITY_DIFFERENCE, GateReport, judge
from export.sessions import largest_weight, open_graph
from export.variants import Variant
from train.samples import Progress

__all__ = ["Chosen", "Tried", "choose"]

_ROUNDS = 21

#: A static graph does the least work and gives a picture the same answer alone and in any batch; a dynamic one takes
#: its ranges over the batch.
_CHEAPEST_FIRST = ("static", "mixed", "dynamic")

#: Up to this factor two differences from FP32 count as equal.
_AS_GOOD = 1.25

#: A difference that counts as none.
_AS_NONE = MAX_PROBABILITY_DIFFERENCE / 10


@dataclass(slots=True, kw_only=True)
class Tried:
    """One variant and what was found.

    Attributes:
        variant: The graph and how it was made.
        report: Of the gate.
        size_bytes: Of the graph.
        p50_ms: Median latency of one picture, measured in turn with the others; None if it was not measured.
        corrupted: Of the gate on corrupted pictures; None if it was not asked.
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

    def text(self) -> str:
        """Render as a table for the terminal."""
        lines = [
            f"{'tried':<20}{'gate':>8}{'agreement':>11}{'flips by class':>18}{'p50 ms':>9}{'MB':>7}"
        ]
        for entry in self.tried:
            table = entry.report.table
            flips = "/".join(str(row["flips"]) for row in table["per_class"].values())
            latency = "-" if entry.p50_ms is None else f"{entry.p50_ms:.1f}"
            lines.append(
                f"{entry.variant.name:<20}{'passed' if entry.passed else 'FAILED':>8}"
                f"{100 * table['agreement']['value']:>10.2f}%{flips:>18}{latency:>9}{entry.size_bytes / 1e6:>7.1f}"
            )
        lines.append(f"{'fp32':<20}{'':>37}{self.fp32_p50_ms:>9.1f}")
        lines.append(f"chosen: {self.best.variant.name}")
        if (self.best.p50_ms or 0) > self.fp32_p50_ms:
            lines.append(
                "INT8 is slower than FP32 here: ship --fp32 where speed counts more than size"
            )
        return "\n".join(lines)


def choose(
    variants: Iterable[Variant],
    reference: Session,
    pictures: ExportPictures,
    config: PreprocessorConfig,
    *,
    cache: Path | None,
    step: Callable[[str], None],
    progress: Progress,
) -> Chosen:
    """Judge the variants on the validation pictures and take the best that passes.

    With phantoms the first that passes is taken: they can tell that a quantization is broken, not which is best.

    Args:
        variants: Made lazily.
        reference: Session of the FP32 graph.
        pictures: The gate's.
        config: How they become pixel values.
        cache: Folder for FP32 answers on corrupted pictures, so that a killed run goes on.
        step: Told what is being done.
        progress: Told how far the corrupted pictures are.

    Raises:
        QualityGateFailed: None passes.
    """
    answers = _logits(reference, pictures.gate, config)
    tried: list[Tried] = []
    sessions: list[Session] = []
    for variant in variants:
        session = open_graph(variant.graph)
        report = judge(pictures.gate_labels, answers, _logits(session, pictures.gate, config))
        tried.append(Tried(variant=variant, report=report, size_bytes=variant.graph.ByteSize()))
        sessions.append(session)
        step(f"gate, {variant.name}: {'passed' if report.passed else 'failed'}\n{report.text()}")
        if report.passed and pictures.synthetic:
            break
    *latencies, fp32_p50_ms = _medians_ms([*sessions, reference], pictures.gate[:1], config)
    for entry, latency in zip(tried, latencies, strict=True):
        entry.p50_ms = latency
    for entry in _best_first(tried):
        step(f"corrupted pictures, {entry.variant.name}")
        entry.corrupted = judge_corrupted(
            reference,
            sessions[tried.index(entry)],
            pictures,
            config,
            variants=pictures.corrupted,
            cache=cache,
            progress=progress,
        )
        step(entry.corrupted.text())
        if entry.passed:
            return Chosen(best=entry, tried=tuple(tried), fp32_p50_ms=fp32_p50_ms)
    reasons = "; ".join(f"{entry.variant.name}: {', '.join(entry.failures)}" for entry in tried)
    hint = "calibrate on pictures like those of the training, or ship --fp16 or --fp32"
    if all(0 < largest_weight(entry.variant.graph) < 2**6 for entry in tried):
        hint = f"take --target x64-vnni, whose 8 bits are right everywhere, {hint}"
    raise QualityGateFailed(
        f"no INT8 model passed the gate ({reasons}); nothing was written", hint=hint
    )


def _best_first(tried: list[Tried]) -> list[Tried]:
    """Order those that passed so far: the cheapest form among the most faithful, then by faithfulness.

    Most faithful are those whose difference counts as none; where none has so little, those that come close to the
    least. Of two mixed ones that count as none, the one that leaves more layers static is the cheaper.

    A gate of some hundred pictures hardly tells two that pass apart, and new patients do: a CvT-13 with all ranges
    static kept every answer on 589 validation pictures and changed 6 of 813 on the test part, with twice the
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


def _logits(
    session: Session, grey: NDArray[np.uint8], config: PreprocessorConfig
) -> NDArray[np.float32]:
    """Run pictures one by one, as brain-infer does: dynamic INT8 takes its ranges over a whole batch."""
    return np.concatenate(
        [session.run(to_pixel_values(grey[row : row + 1], config))[0] for row in range(len(grey))]
    )


def _medians_ms(
    sessions: list[Session], picture: NDArray[np.uint8], config: PreprocessorConfig
) -> list[float]:
    """Time the sessions in turn: latencies of one run can be compared, those of two cannot."""
    pixel_values = to_pixel_values(picture, config)
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(_ROUNDS):
        for session, times in zip(sessions, taken, strict=True):
            started = time.perf_counter()
            session.run(pixel_values)
            times.append(1000 * (time.perf_counter() - started))
    return [float(np.median(times)) for times in taken]
