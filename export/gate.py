"""The gate: an INT8 model is written only if it answers as the FP32 model does, class by class.

One figure for all classes is not enough: a quantized detector can keep its mean and lose most classes
(ultralytics#22644). Both models run with the session options that ship (microsoft/onnxruntime#11576).
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from edge_infer.prediction import softmax
from train.metrics import wilson_interval

__all__ = ["MAX_RECALL_LOSS", "MIN_AGREEMENT", "GateReport", "judge"]

MIN_AGREEMENT = 0.99
MAX_RECALL_LOSS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The verdict on one quantized model.

    Attributes:
        failures: What did not hold, in words; empty if it passed.
        table: The figures, for manifest and model card.
    """

    failures: tuple[str, ...]
    table: dict[str, Any] = field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def text(self) -> str:
        """Render as a table for the terminal."""
        agreement = self.table["agreement"]
        difference = self.table["mean_abs_probability_difference"]
        lines = [
            (
                f"agreement with FP32: {100 * agreement['value']:.2f} % "
                f"({100 * agreement['low']:.2f}..{100 * agreement['high']:.2f}), n {agreement['n']}, "
                f"required {100 * MIN_AGREEMENT:.0f} %"
            ),
            f"{'class':<12}{'n':>5}{'recall FP32':>13}{'recall INT8':>13}{'loss':>8}{'flips':>7}",
        ]
        for name, row in self.table["per_class"].items():
            lines.append(
                f"{name:<12}{row['n']:>5}{100 * row['recall_fp32']:>12.2f}%{100 * row['recall_int8']:>12.2f}%"
                f"{100 * row['recall_loss']:>8.2f}{row['flips']:>7}"
            )
        lines.append(
            f"tumour -> no_tumor flips where FP32 was right: {self.table['tumor_to_no_tumor_flips']}; "
            f"mean absolute probability difference {'-' if difference is None else f'{difference:.4f}'}"
        )
        lines += [f"FAILED: {failure}" for failure in self.failures]
        return "\n".join(lines)


def judge(
    labels: NDArray[np.int64], fp32_logits: NDArray[np.float32], int8_logits: NDArray[np.float32]
) -> GateReport:
    """Compare the answers of both models on the same validation pictures.

    Args:
        labels: (N,), true class ids; each class must occur.
        fp32_logits: (N, classes).
        int8_logits: (N, classes).
    """
    reference, quantized = fp32_logits.argmax(axis=1), int8_logits.argmax(axis=1)
    agreement = wilson_interval(int((reference == quantized).sum()), len(labels))
    failures: list[str] = []
    if not np.isfinite(int8_logits).all():
        failures.append("INT8 logits hold NaN or infinity")
    if agreement.value is None or agreement.value < MIN_AGREEMENT:
        failures.append(
            f"agreement {100 * (agreement.value or 0):.2f} % is below {100 * MIN_AGREEMENT:.0f} %"
        )
    per_class: dict[str, Any] = {}
    for index, name in enumerate(LABELS):
        of_class = labels == index
        before, after = (
            float((answers[of_class] == index).mean()) for answers in (reference, quantized)
        )
        per_class[name] = {
            "n": int(of_class.sum()),
            "recall_fp32": before,
            "recall_int8": after,
            "recall_loss": before - after,
            "flips": int((reference[of_class] != quantized[of_class]).sum()),
        }
        if before - after > MAX_RECALL_LOSS:
            failures.append(
                f"{name} loses {100 * (before - after):.2f} points of recall, "
                f"allowed {100 * MAX_RECALL_LOSS:.0f} (n {int(of_class.sum())})"
            )
    healthy = LABELS.index("no_tumor")
    missed = (labels != healthy) & (reference == labels) & (quantized == healthy)
    table = {
        "agreement": asdict(agreement),
        "per_class": per_class,
        "tumor_to_no_tumor_flips": int(missed.sum()),
        "mean_abs_probability_difference": _difference(fp32_logits, int8_logits),
        "min_agreement": MIN_AGREEMENT,
        "max_recall_loss": MAX_RECALL_LOSS,
    }
    return GateReport(failures=tuple(failures), table=table)


def _difference(fp32_logits: NDArray[np.float32], int8_logits: NDArray[np.float32]) -> float | None:
    """Return the mean absolute difference of the probabilities; None where logits are not finite."""
    if not (np.isfinite(fp32_logits).all() and np.isfinite(int8_logits).all()):
        return None  # the table goes into JSON, which knows no NaN
    return float(np.abs(softmax(fp32_logits) - softmax(int8_logits)).mean())
