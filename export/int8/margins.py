"""Images that are too close to call: FP32 itself gives two classes nearly the same logit.

Which of the two comes out on top is decided by the last bits of float sums, and so by the kernels of the processor at
hand. A gate that counts such an image passes on one machine and fails on another with the same weights. So it is
judged apart: reported with its number, and the gate fails where there are too many of them. Every bar holds as it
stands for all other images (docs/gate.md, docs/decisions/0012).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS

__all__ = [
    "MAX_TOO_CLOSE",
    "TOO_CLOSE_LOGITS",
    "margins",
    "too_close",
    "too_close_failures",
    "too_close_table",
    "too_close_text",
]

#: Least lead of the first class over the second, in FP32 logits. At 0.02 their probabilities differ by at most one
#: point (0.505 and 0.495 where there are no others).
TOO_CLOSE_LOGITS = 0.02

#: Share of the judged images that may be too close to call.
MAX_TOO_CLOSE = 0.01

_HEALTHY = LABELS.index("no_tumor")


def margins(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the first class leads before the second: (N, classes) -> (N,)."""
    ordered = np.sort(logits, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], dtype=np.float32)


def too_close(fp32_logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which images FP32 cannot call: (N, classes) -> (N,). One with NaN is none: the gate refuses that."""
    finite = np.asarray(np.isfinite(fp32_logits).all(axis=1))
    lead = margins(np.where(finite[:, None], fp32_logits, 0))
    return np.asarray(finite & (lead < TOO_CLOSE_LOGITS), dtype=np.bool_)


def too_close_table(
    labels: NDArray[np.int64],
    fp32_logits: NDArray[np.float32],
    int8_logits: NDArray[np.float32],
) -> dict[str, Any]:
    """Count the images that are too close to call, and what INT8 makes of them.

    Args:
        labels: (N,), true class ids.
        fp32_logits: (N, classes).
        int8_logits: (N, classes).
    """
    close = too_close(fp32_logits)
    reference, quantized = fp32_logits.argmax(axis=1), int8_logits.argmax(axis=1)
    lost = (labels != _HEALTHY) & (reference == labels) & (quantized == _HEALTHY)
    return {
        "count": int(close.sum()),
        "n": len(labels),
        "flips": int((close & (reference != quantized)).sum()),
        "tumor_to_no_tumor_flips": int((close & lost).sum()),
        "margin_logits": TOO_CLOSE_LOGITS,
        "max_share": MAX_TOO_CLOSE,
    }


def too_close_text(table: dict[str, Any]) -> str:
    """Render what ``too_close_table`` found as one line for the terminal."""
    return (
        f"too close to call (FP32 leads by less than {table['margin_logits']:g}), judged apart: {table['count']} of "
        f"n {table['n']}, allowed {100 * table['max_share']:g} %; {table['flips']} answered otherwise, "
        f"{table['tumor_to_no_tumor_flips']} of them tumour -> no_tumor"
    )


def too_close_failures(table: dict[str, Any]) -> list[str]:
    """Say that too many images are too close to call; nothing where they are few."""
    if table["count"] <= MAX_TOO_CLOSE * table["n"] + 1e-9:  # whole images: a share would round
        return []
    failure = (
        f"{table['count']} of n {table['n']} images are too close to call (FP32 leads by less than "
        f"{TOO_CLOSE_LOGITS:g}), allowed {100 * MAX_TOO_CLOSE:g} %"
    )
    return [failure]
