"""The gate: an INT8 model is written only if it answers as the FP32 model does, class by class.

One figure for all classes is not enough: a quantized detector can keep its mean and lose most classes
(ultralytics#22644). Both models run with the session options of the runtime (microsoft/onnxruntime#11576). Images that
are too close to call for FP32 itself are counted apart (``export.int8.margins``).
The requirements and the reasons for them: docs/gate.md. The second part, on corrupted images:
``export.int8.corrupted_gate``.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.prediction import softmax
from export.gate_tables import flips_of, share_text
from export.int8.margins import too_close, too_close_failures, too_close_table, too_close_text
from export.int8.negative_flips import NegativeFlips
from train.metrics.figures import wilson_interval

__all__ = [
    "MAX_PROBABILITY_DIFFERENCE",
    "MAX_RECALL_LOSS",
    "MAX_TUMOR_FLIPS",
    "MIN_AGREEMENT",
    "GateReport",
    "Verdict",
    "judge",
]

MIN_AGREEMENT = 0.995
#: Of each class, as a share. A class with fewer than 200 images may not lose any.
MAX_RECALL_LOSS = 0.005
#: Tumours that FP32 calls correctly and INT8 calls no_tumor; of other classes, what INT8 calls negative.
MAX_TUMOR_FLIPS = 0
#: Mean over images and classes, of probabilities at temperature 1.
MAX_PROBABILITY_DIFFERENCE = 0.01


#: Of the table's first column, in letters.
_NAME_WIDTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's verdict on one quantized model.

    Attributes:
        classes: Of the model.
        failures: What the model failed, in words; empty if it passed.
        table: The figures, for manifest and model card.
    """

    failures: tuple[str, ...]
    table: dict[str, Any] = field(repr=False)
    classes: Classes = field(default=BRAIN, repr=False)

    @property
    def passed(self) -> bool:
        """Whether the model failed nothing."""
        return not self.failures


class GateReport(Verdict):
    """The verdict on clean images."""

    __slots__ = ()

    def text(self) -> str:
        """Render as a table for the terminal."""
        agreement = self.table["agreement"]
        difference = self.table["mean_abs_probability_difference"]
        negative = NegativeFlips.of(self.classes)
        width = max(_NAME_WIDTH, *map(len, self.table["per_class"]))
        lines = [
            (
                f"agreement with FP32: {share_text(agreement)}, n {agreement['n']}, "
                f"required {100 * MIN_AGREEMENT:g} %"
            ),
            f"{'class':<{width}}{'n':>5}{'recall FP32':>13}{'recall INT8':>13}{'loss':>8}{'flips':>7}",
        ]
        for name, row in self.table["per_class"].items():
            lines.append(
                f"{name:<{width}}{row['n']:>5}{100 * row['recall_fp32']:>12.2f}%{100 * row['recall_int8']:>12.2f}%"
                f"{100 * row['recall_loss']:>8.2f}{row['flips']:>7}"
            )
        if negative is not None:
            lines.append(
                f"{negative.words} flips where FP32 was right: {flips_of(self.table)}, "
                f"allowed {MAX_TUMOR_FLIPS}"
            )
        lines.append(
            f"mean absolute probability difference: {'-' if difference is None else f'{difference:.4f}'}, "
            f"allowed {MAX_PROBABILITY_DIFFERENCE:g}"
        )
        lines.append(too_close_text(self.table["too_close"], negative))
        lines += [f"FAILED: {failure}" for failure in self.failures]
        return "\n".join(lines)


def judge(
    labels: NDArray[np.int64],
    fp32_logits: NDArray[np.float32],
    int8_logits: NDArray[np.float32],
    classes: Classes = BRAIN,
) -> GateReport:
    """Compare the answers of both models on the same validation images.

    Agreement, recall and flips count the images that FP32 can call; the table lists those too close to call apart, in
    ``too_close``. The difference of the probabilities is taken over all images.

    Args:
        labels: (N,), true class ids; each class must occur.
        fp32_logits: (N, classes).
        int8_logits: (N, classes).
        classes: Of the model.
    """
    negative = NegativeFlips.of(classes)
    reference, quantized = fp32_logits.argmax(axis=1), int8_logits.argmax(axis=1)
    close = too_close(fp32_logits)
    sure = ~close
    agreement = wilson_interval(int((reference == quantized)[sure].sum()), int(sure.sum()))
    failures = [
        f"{name} logits hold NaN or infinity"
        for name, logits in (("FP32", fp32_logits), ("INT8", int8_logits))
        if not np.isfinite(logits).all()
    ]
    if agreement.value is None or agreement.value < MIN_AGREEMENT:
        failures.append(
            f"agreement {100 * (agreement.value or 0):.2f} % (n {agreement.n}) is below {100 * MIN_AGREEMENT:g} %"
        )
    apart = too_close_table(labels, fp32_logits, int8_logits, classes)
    failures += too_close_failures(apart)
    per_class: dict[str, Any] = {}
    for label, name in enumerate(classes.names):
        row = _class_row(label, labels[sure], reference[sure], quantized[sure], negative)
        row["too_close"] = int((close & (labels == label)).sum())
        per_class[name] = row
        failures += _class_failures(name, row, negative)
    difference = _difference(fp32_logits, int8_logits)
    if difference is not None and difference > MAX_PROBABILITY_DIFFERENCE:
        failures.append(
            f"mean absolute probability difference {difference:.4f} (n {len(labels)}) "
            f"is above {MAX_PROBABILITY_DIFFERENCE:g}"
        )
    flips, most_flips = {}, {}
    if negative is not None:
        flips = {negative.key: sum(row[negative.row_key] for row in per_class.values())}
        most_flips = {f"max_{negative.key}": MAX_TUMOR_FLIPS}
    table = {
        "agreement": asdict(agreement),
        "per_class": per_class,
        **flips,
        "mean_abs_probability_difference": difference,
        "too_close": apart,
        "min_agreement": MIN_AGREEMENT,
        "max_recall_loss": MAX_RECALL_LOSS,
        **most_flips,
        "max_mean_abs_probability_difference": MAX_PROBABILITY_DIFFERENCE,
    }
    return GateReport(failures=tuple(failures), table=table, classes=classes)


def _class_row(
    label: int,
    labels: NDArray[np.int64],
    reference: NDArray[np.int64],
    quantized: NDArray[np.int64],
    negative: NegativeFlips | None,
) -> dict[str, Any]:
    before, after = reference[labels == label], quantized[labels == label]
    right = before == label
    n = max(1, len(before))  # a class may have no image that FP32 can call
    flips: dict[str, int] = {}
    if negative is not None:
        of_class = np.full_like(before, label)
        flips = {negative.row_key: int(negative.flipped(of_class, before, after).sum())}
    return {
        "n": len(before),
        "recall_fp32": float(right.sum() / n),
        "recall_int8": float((after == label).sum() / n),
        "recall_loss": float((right.sum() - (after == label).sum()) / n),
        "lost": int(right.sum() - (after == label).sum()),
        "flips": int((before != after).sum()),
        **flips,
    }


def _class_failures(name: str, row: dict[str, Any], negative: NegativeFlips | None) -> list[str]:
    failures: list[str] = []
    if (
        row["lost"] > MAX_RECALL_LOSS * row["n"] + 1e-9
    ):  # whole images, because a share would be rounded
        failures.append(
            f"{name} loses {100 * row['recall_loss']:.2f} points of recall "
            f"({row['lost']} of n {row['n']}), allowed {100 * MAX_RECALL_LOSS:g}"
        )
    if negative is not None and row[negative.row_key] > MAX_TUMOR_FLIPS:
        failures.append(
            f"{name}: {row[negative.row_key]} of n {row['n']} newly called {negative.label}, allowed {MAX_TUMOR_FLIPS}"
        )
    return failures


def _difference(fp32_logits: NDArray[np.float32], int8_logits: NDArray[np.float32]) -> float | None:
    """Return the mean absolute difference of the probabilities; None where logits are not finite."""
    if not (np.isfinite(fp32_logits).all() and np.isfinite(int8_logits).all()):
        return None  # the table is written as JSON, which has no NaN
    return float(np.abs(softmax(fp32_logits) - softmax(int8_logits)).mean())
