"""Columns of logits in a table of answers, as ``brain-train evaluate`` writes them."""

from collections.abc import Mapping

from edge_infer.classes import BRAIN, Classes
from edge_infer.names import shown_name
from edge_infer.plain_json import LARGEST_LOGIT

__all__ = ["LOGIT_COLUMNS", "answer_problem", "logit_columns"]


def logit_columns(classes: Classes) -> tuple[str, ...]:
    """Return the names of the columns, in the order of the classes."""
    return tuple(f"logit_{label}" for label in classes.names)


#: Of the four brain classes.
LOGIT_COLUMNS = logit_columns(BRAIN)


def answer_problem(cell: Mapping[str, str], classes: Classes) -> str:
    """Say what is wrong with the label or the logits of a row; empty if nothing is."""
    if cell["label"] not in classes.names:
        return f"label is {shown_name(cell['label'])}, expected one of {', '.join(classes.names)}"
    wrong = (column for column in logit_columns(classes) if not _is_logit(cell[column]))
    return next((f"{column} is not a finite number" for column in wrong), "")


def _is_logit(text: str) -> bool:
    try:
        return abs(float(text)) <= LARGEST_LOGIT  # False for NaN
    except ValueError:
        return False
