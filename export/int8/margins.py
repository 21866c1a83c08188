"""Images that are too close to call: FP32 itself gives two classes nearly the same logit.

The last bits of float sums then decide which of the two classes wins, and they depend on the processor's kernels. A
gate that counted such images could pass on one machine and fail on another with the same weights. So they are judged
apart: their number is reported, and the gate fails if there are too many of them. All other images must meet every
requirement (docs/gate.md, docs/decisions/0012).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from export.gate_tables import flips_of
from export.int8.negative_flips import NegativeFlips

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


def margins(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return by how much the first class leads the second, in logits: (N, classes) -> (N,)."""
    ordered = np.sort(logits, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], dtype=np.float32)


def too_close(fp32_logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which images FP32 cannot call: (N, classes) -> (N,). NaN does not count here: the gate fails on it."""
    finite = np.asarray(np.isfinite(fp32_logits).all(axis=1))
    close = np.zeros(len(fp32_logits), dtype=np.bool_)
    close[finite] = margins(fp32_logits[finite]) < TOO_CLOSE_LOGITS
    return close


def too_close_table(
    labels: NDArray[np.int64],
    fp32_logits: NDArray[np.float32],
    int8_logits: NDArray[np.float32],
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Count the images that are too close to call, and how INT8 answers them.

    Args:
        labels: (N,), true class ids.
        fp32_logits: (N, classes).
        int8_logits: (N, classes).
        classes: Of the model.
    """
    close = too_close(fp32_logits)
    reference, quantized = fp32_logits.argmax(axis=1), int8_logits.argmax(axis=1)
    negative = NegativeFlips.of(classes)
    flips: dict[str, int] = {}
    if negative is not None:
        flipped = negative.flipped(labels, reference, quantized)
        flips = {negative.key: int((close & flipped).sum())}
    return {
        "count": int(close.sum()),
        "n": len(labels),
        "flips": int((close & (reference != quantized)).sum()),
        **flips,
        "margin_logits": TOO_CLOSE_LOGITS,
        "max_share": MAX_TOO_CLOSE,
    }


def too_close_text(table: dict[str, Any], negative: NegativeFlips | None) -> str:
    """Render a ``too_close_table`` as one line for the terminal.

    Args:
        table: Of ``too_close_table``.
        negative: The flips that count most; None without a negative class.
    """
    of_them = "" if negative is None else f", {flips_of(table)} of them {negative.words}"
    return (
        f"too close to call (FP32 leads by less than {table['margin_logits']:g}), judged apart: {table['count']} of "
        f"n {table['n']}, allowed {100 * table['max_share']:g} %; {table['flips']} answered otherwise"
        f"{of_them}"
    )


def too_close_failures(table: dict[str, Any]) -> list[str]:
    """Return a failure if too many images are too close to call, otherwise none."""
    if (
        table["count"] <= MAX_TOO_CLOSE * table["n"] + 1e-9
    ):  # whole images, because a share would be rounded
        return []
    failure = (
        f"{table['count']} of n {table['n']} images are too close to call (FP32 leads by less than "
        f"{TOO_CLOSE_LOGITS:g}), allowed {100 * MAX_TOO_CLOSE:g} %"
    )
    return [failure]
