"""The gate's second part: INT8 must answer as FP32 does, also on images that are worse than those of the data set.

Each kind and severity of ``train.corruption.corruptions`` is applied to the same number of validation images. On such
images the margins are small, so a quantization that is only just good enough shows (docs/gate.md).
"""

import itertools
import logging
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.machine import usable_cores
from edge_infer.prediction import softmax
from export.answers import Answering, logits_one_by_one
from export.gate_tables import share_text
from export.int8.answer_cache import AnswerCache
from export.int8.calibration import ExportImages
from export.int8.gate import Verdict
from export.int8.margins import (
    MAX_TOO_CLOSE,
    too_close,
    too_close_failures,
    too_close_table,
    too_close_text,
)
from export.int8.negative_flips import NegativeFlips
from export.model_inputs import ModelInputs
from train.corruption.corruptions import cells, corrupt
from train.data.samples import Progress
from train.metrics.figures import wilson_interval

__all__ = ["MIN_CORRUPTED_AGREEMENT", "CorruptedReport", "judge_corrupted"]

logger = logging.getLogger(__name__)

MIN_CORRUPTED_AGREEMENT = 0.99

_SEED = 0  # the variants are the same for every model, so that gates can be compared
_CHUNK = 256  # variants whose FP32 answers are kept at a time


class CorruptedReport(Verdict):
    """The verdict on corrupted images."""

    __slots__ = ()

    def text(self) -> str:
        """Render as a table for the terminal."""
        negative = NegativeFlips.of(self.classes)
        to_negative = "" if negative is None else f"{f'to {negative.label}':>13}"
        stopped = f", stopped of {self.table['planned']}" if self.table["stopped_early"] else ""
        lines = [
            (
                f"agreement with FP32 on corrupted images: {share_text(self.table['agreement'])}, "
                f"n {self.table['agreement']['n']}{stopped}, required {100 * MIN_CORRUPTED_AGREEMENT:g} %"
            ),
            f"{'corruption':<18}{'n':>5}{'agreement':>11}  {'by severity':<35}{to_negative}",
        ]
        for kind, row in self.table["per_corruption"].items():
            by_severity = "".join(f"{100 * share:>7.1f}" for share in row["by_severity"])
            lines.append(
                f"{kind:<18}{row['agreement']['n']:>5}{100 * row['agreement']['value']:>10.2f}%"
                f"  {by_severity:<35}" + ("" if negative is None else f"{row['flips']:>13}")
            )
        if negative is not None:
            flips, images = (self.table[key] for key in ("flips", "flipped_pictures"))
            lines.append(
                f"{negative.words} flips where FP32 was right: {flips['count']} of {flips['n']} variants, "
                f"95 % bound {_bound(flips)}; {images['count']} of {images['n']} images, "
                f"95 % bound {_bound(images)}"
            )
        lines += [
            too_close_text(self.table["too_close"], negative),
            *(f"FAILED: {failure}" for failure in self.failures),
        ]
        return "\n".join(lines)


class _Variants(NamedTuple):
    """Which image is corrupted in which way: entry i of both belongs to variant i."""

    rows: NDArray[np.int64]
    cells: NDArray[np.int64]


def judge_corrupted(
    reference: Answering,
    quantized: Answering,
    images: ExportImages,
    *,
    variants: int = 10_000,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> CorruptedReport:
    """Compare the answers of both models, one image at a time, as brain-infer does.

    It stops before all variants are judged only if the required agreement can no longer be reached, or if too many are
    too close to call. Agreement and flips count the variants that FP32 can call; the table lists the others apart.

    Args:
        reference: The float32 model.
        quantized: The model on trial; its answers are never taken from the cache.
        images: Of which ``gate`` and ``gate_labels`` are used.
        variants: Least number of variants; fewer if there are too few images for that many different ones.
        cache: Folder for the reference's answers, for the next candidate, or for the next export after an interruption.
        progress: Called with (done, total).

    Raises:
        CannotWrite: The cache cannot be written.
    """
    plan = _plan(len(images.gate), variants)
    total = len(plan.rows)
    answers = AnswerCache(reference, cache)
    allowed = _allowed(total)
    before: list[NDArray[np.float32]] = []
    after: list[NDArray[np.float32]] = []
    differing = close = 0
    done = itertools.count(1)

    def tick() -> None:
        if progress is not None:
            progress(next(done), total)

    for start in range(0, total, _CHUNK):
        drawn = _drawn(images.gate, plan, range(start, min(start + _CHUNK, total)))
        before.append(answers.logits(drawn))
        after.append(logits_one_by_one(quantized, drawn, tick))
        apart = too_close(before[-1])
        close += int(apart.sum())
        differing += int((before[-1].argmax(axis=1) != after[-1].argmax(axis=1))[~apart].sum())
        if differing > allowed or close > MAX_TOO_CLOSE * total:
            logger.info(
                "%d of %d variants differ, %d are too close to call", differing, total, close
            )
            break
    return _verdict(images, plan, np.concatenate(before), np.concatenate(after))


def _plan(images: int, variants: int) -> _Variants:
    """Spread variants evenly: all kinds and severities in turn, on different images, each image equally often."""
    count = len(cells())
    each = min(-(-variants // count), images)
    order = np.random.default_rng(_SEED).permutation(images)
    turns, cell = (part.ravel() for part in np.mgrid[:each, :count])
    return _Variants(rows=order[(cell * each + turns) % images], cells=cell)


def _drawn(gate: ModelInputs, plan: _Variants, which: range) -> ModelInputs:
    every = cells()

    def draw(number: int) -> NDArray[np.uint8]:
        row = int(plan.rows[number])
        kind, severity = every[plan.cells[number]]
        return corrupt(gate.grey[row], kind, severity, (_SEED, row))

    with ThreadPoolExecutor(usable_cores()) as pool:
        grey = np.stack(list(pool.map(draw, which)))
    return ModelInputs(grey, gate.preprocessor)


def _verdict(
    images: ExportImages,
    plan: _Variants,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
) -> CorruptedReport:
    judged = len(after)
    rows, cell = plan.rows[:judged], plan.cells[:judged]
    labels = images.gate_labels[rows]
    reference, quantized = before.argmax(axis=1), after.argmax(axis=1)
    same = reference == quantized
    close = too_close(before)
    negative = NegativeFlips.of(images.classes)
    flipped: NDArray[np.bool_] | None = None
    flips: dict[str, Any] = {}
    if negative is not None:
        at_stake = negative.at_stake(labels, reference)
        flipped = negative.flipped(labels, reference, quantized)
        flips = {
            "flips": _share(int(flipped.sum()), int(at_stake.sum())),
            "flipped_pictures": _share(
                len(np.unique(rows[flipped])), len(np.unique(rows[at_stake]))
            ),
            # These include images for which FP32 named a wrong tumour: the answer "tumour" was lost there too.
            negative.lost_key: int(negative.lost(labels, reference, quantized).sum()),
        }
    finite = bool(np.isfinite(before).all() and np.isfinite(after).all())
    table = {
        "n": judged,
        "planned": len(plan.rows),
        "stopped_early": judged < len(plan.rows),
        "pictures": len(np.unique(rows)),
        "synthetic": images.synthetic,
        "agreement": _share(int(same[~close].sum()), int((~close).sum())),
        "min_agreement": MIN_CORRUPTED_AGREEMENT,
        "too_close": too_close_table(labels, before, after, images.classes),
        **flips,
        "mean_abs_probability_difference": (
            float(np.abs(softmax(before) - softmax(after)).mean()) if finite else None
        ),
        "accuracy_fp32": _share(int((reference == labels).sum()), judged),
        "accuracy_int8": _share(int((quantized == labels).sum()), judged),
        "per_corruption": _per_corruption(cell, same, flipped),
    }
    return CorruptedReport(
        failures=_failures(table, finite=finite), table=table, classes=images.classes
    )


def _per_corruption(
    cell: NDArray[np.int64], same: NDArray[np.bool_], flipped: NDArray[np.bool_] | None
) -> dict[str, Any]:
    every = cells()
    table: dict[str, Any] = {}
    for kind in dict.fromkeys(kind for kind, _ in every):
        numbers = [number for number, (name, _) in enumerate(every) if name == kind]
        of_kind = np.isin(cell, numbers)
        table[kind] = {
            "agreement": _share(int(same[of_kind].sum()), int(of_kind.sum())),
            "by_severity": [float(same[cell == number].mean()) for number in numbers],
            **({} if flipped is None else {"flips": int(flipped[of_kind].sum())}),
        }
    return table


def _failures(table: dict[str, Any], *, finite: bool) -> tuple[str, ...]:
    failures = [] if finite else ["logits on corrupted images hold NaN or infinity"]
    agreement = table["agreement"]
    missed = agreement["n"] - agreement["count"]
    called = table["planned"] - table["too_close"]["count"]
    allowed = _allowed(called)
    if missed > allowed:
        kind, row = min(
            table["per_corruption"].items(), key=lambda item: float(item[1]["agreement"]["value"])
        )
        failures.append(
            f"agreement on corrupted images {100 * agreement['value']:.2f} % (n {agreement['n']}, "
            f"{missed} differ, allowed {allowed} of {called}) is below "
            f"{100 * MIN_CORRUPTED_AGREEMENT:g} %; worst at {kind}, "
            f"{100 * row['agreement']['value']:.2f} % (n {row['agreement']['n']})"
        )
    failures += too_close_failures(table["too_close"])
    return tuple(failures)


def _allowed(total: int) -> int:
    """Return how many of all planned variants may be answered differently, as a whole number."""
    return math.floor((1 - MIN_CORRUPTED_AGREEMENT) * total + 1e-9)


def _share(count: int, n: int) -> dict[str, Any]:
    return {"count": count, **asdict(wilson_interval(count, n))}


def _bound(share: dict[str, Any]) -> str:
    return "-" if share["high"] is None else f"{100 * share['high']:.3f} %"
