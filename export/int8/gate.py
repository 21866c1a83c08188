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

from edge_infer.contract import LABELS
from edge_infer.prediction import softmax
from export.int8.margins import too_close, too_close_failures, too_close_table, too_close_text
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
#: Tumours that FP32 calls correctly and INT8 calls no_tumor.
MAX_TUMOR_FLIPS = 0
#: Mean over images and classes, of probabilities at temperature 1.
MAX_PROBABILITY_DIFFERENCE = 0.01

_HEALTHY = LABELS.index("no_tumor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's verdict on one quantized model.

    Attributes:
        failures: What the model failed, in words; empty if it passed.
        table: The figures, for manifest and model card.
    """

    failures: tuple[str, ...]
    table: dict[str, Any] = field(repr=False)

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
        lines = [
            (
                f"agreement with FP32: {100 * agreement['value']:.2f} % "
                f"({100 * agreement['low']:.2f}..{100 * agreement['high']:.2f}), n {agreement['n']}, "
                f"required {100 * MIN_AGREEMENT:g} %"
            ),
            f"{'class':<12}{'n':>5}{'recall FP32':>13}{'recall INT8':>13}{'loss':>8}{'flips':>7}",
        ]
        for name, row in self.table["per_class"].items():
            lines.append(
                f"{name:<12}{row['n']:>5}{100 * row['recall_fp32']:>12.2f}%{100 * row['recall_int8']:>12.2f}%"
                f"{100 * row['recall_loss']:>8.2f}{row['flips']:>7}"
            )
        lines.append(
            f"tumour -> no_tumor flips where FP32 was right: {self.table['tumor_to_no_tumor_flips']}, "
            f"allowed {MAX_TUMOR_FLIPS}"
        )
        lines.append(
            f"mean absolute probability difference: {'-' if difference is None else f'{difference:.4f}'}, "
            f"allowed {MAX_PROBABILITY_DIFFERENCE:g}"
        )
        lines.append(too_close_text(self.table["too_close"]))
        lines += [f"FAILED: {failure}" for failure in self.failures]
        return "\n".join(lines)


def judge(
    labels: NDArray[np.int64], fp32_logits: NDArray[np.float32], int8_logits: NDArray[np.float32]
) -> GateReport:
    """Compare the answers of both models on the same validation images.

    Agreement, recall and flips count the images that FP32 can call; the table lists those too close to call apart, in
    ``too_close``. The difference of the probabilities is taken over all images.

    Args:
        labels: (N,), true class ids; each class must occur.
        fp32_logits: (N, classes).
        int8_logits: (N, classes).
    """
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
    apart = too_close_table(labels, fp32_logits, int8_logits)
    failures += too_close_failures(apart)
    per_class: dict[str, Any] = {}
    for label, name in enumerate(LABELS):
        row = _class_row(label, labels[sure], reference[sure], quantized[sure])
        row["too_close"] = int((close & (labels == label)).sum())
        per_class[name] = row
        failures += _class_failures(name, row)
    difference = _difference(fp32_logits, int8_logits)
    if difference is not None and difference > MAX_PROBABILITY_DIFFERENCE:
        failures.append(
            f"mean absolute probability difference {difference:.4f} (n {len(labels)}) "
            f"is above {MAX_PROBABILITY_DIFFERENCE:g}"
        )
    table = {
        "agreement": asdict(agreement),
        "per_class": per_class,
        "tumor_to_no_tumor_flips": sum(row["to_no_tumor"] for row in per_class.values()),
        "mean_abs_probability_difference": difference,
        "too_close": apart,
        "min_agreement": MIN_AGREEMENT,
        "max_recall_loss": MAX_RECALL_LOSS,
        "max_tumor_to_no_tumor_flips": MAX_TUMOR_FLIPS,
        "max_mean_abs_probability_difference": MAX_PROBABILITY_DIFFERENCE,
    }
    return GateReport(failures=tuple(failures), table=table)


def _class_row(
    label: int,
    labels: NDArray[np.int64],
    reference: NDArray[np.int64],
    quantized: NDArray[np.int64],
) -> dict[str, Any]:
    before, after = reference[labels == label], quantized[labels == label]
    right = before == label
    n = max(1, len(before))  # a class may have no image that FP32 can call
    return {
        "n": len(before),
        "recall_fp32": float(right.sum() / n),
        "recall_int8": float((after == label).sum() / n),
        "recall_loss": float((right.sum() - (after == label).sum()) / n),
        "lost": int(right.sum() - (after == label).sum()),
        "flips": int((before != after).sum()),
        "to_no_tumor": 0 if label == _HEALTHY else int((right & (after == _HEALTHY)).sum()),
    }


def _class_failures(name: str, row: dict[str, Any]) -> list[str]:
    failures: list[str] = []
    if (
        row["lost"] > MAX_RECALL_LOSS * row["n"] + 1e-9
    ):  # whole images, because a share would be rounded
        failures.append(
            f"{name} loses {100 * row['recall_loss']:.2f} points of recall "
            f"({row['lost']} of n {row['n']}), allowed {100 * MAX_RECALL_LOSS:g}"
        )
    if row["to_no_tumor"] > MAX_TUMOR_FLIPS:
        failures.append(
            f"{name}: {row['to_no_tumor']} of n {row['n']} newly called no_tumor, allowed {MAX_TUMOR_FLIPS}"
        )
    return failures


def _difference(fp32_logits: NDArray[np.float32], int8_logits: NDArray[np.float32]) -> float | None:
    """Return the mean absolute difference of the probabilities; None where logits are not finite."""
    if not (np.isfinite(fp32_logits).all() and np.isfinite(int8_logits).all()):
        return None  # the table is written as JSON, which has no NaN
    return float(np.abs(softmax(fp32_logits) - softmax(int8_logits)).mean())
