"""Columns of logits in a table of answers, as ``brain-train evaluate`` writes them."""

from collections.abc import Mapping

from edge_infer.contract import LABELS
from edge_infer.names import shown_name
from edge_infer.plain_json import LARGEST_LOGIT

__all__ = ["LOGIT_COLUMNS", "answer_problem"]

LOGIT_COLUMNS = tuple(f"logit_{label}" for label in LABELS)


def answer_problem(cell: Mapping[str, str]) -> str:
    """Say what is wrong with the label or the logits of a row; empty if nothing is."""
    if cell["label"] not in LABELS:
        return f"label is {shown_name(cell['label'])}, expected one of {', '.join(LABELS)}"
    wrong = (column for column in LOGIT_COLUMNS if not _is_logit(cell[column]))
    return next((f"{column} is not a finite number" for column in wrong), "")


def _is_logit(text: str) -> bool:
    try:
        return abs(float(text)) <= LARGEST_LOGIT  # False for NaN
    except ValueError:
        return False
