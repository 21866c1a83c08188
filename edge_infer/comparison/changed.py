"""The images whose label or decision changed, what matters most first."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_infer.comparison.pairs import Pairs

__all__ = ["changed_cases"]


def changed_cases(pairs: Pairs) -> list[dict[str, Any]]:
    """Return the images whose label or decision changed, what matters most first."""
    names, negative = pairs.classes.names, pairs.classes.negative_id
    rows = []
    for row in np.flatnonzero(pairs.flipped | (pairs.old.accepted != pairs.new.accepted)):
        case = pairs.cases[row]
        was, now = case.old, case.new
        if was is None or now is None:
            continue
        is_flip, is_accepted = was.label != now.label, was.is_accepted and now.is_accepted
        loses = is_flip and now.label == negative
        is_corrected = is_flip and case.truth == now.label
        rank = (
            is_corrected,  # what is known to be right now comes last
            not (loses and is_accepted),
            not (is_flip and is_accepted),
            not loses,
            not is_flip,
        )
        shift = float(np.abs(was.probabilities - now.probabilities).max())
        one = {
            "row": int(row),
            "name": case.name,
            "truth": None if case.truth is None else names[case.truth],
            "old": _said(was.label, was.is_accepted, was.reasons, was.probabilities, names),
            "new": _said(now.label, now.is_accepted, now.reasons, now.probabilities, names),
            "shift": shift,
        }
        rows.append((rank, -shift, one))
    return [one for _, _, one in sorted(rows, key=lambda it: it[:2])]


def _said(
    label: int, is_accepted: bool, reasons: Sequence[str], probabilities: Any, names: Sequence[str]
) -> dict[str, Any]:
    return {
        "label": names[label],
        "score": float(probabilities[label]),
        "decision": "accept" if is_accepted else "abstain",
        "reasons": list(reasons),
    }
