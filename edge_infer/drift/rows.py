"""Rows of ``brain-batch`` and lines of ``brain-infer --json`` as answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_infer.drift.image_facts import FACTS
from edge_infer.drift.observing import Answer
from edge_infer.names import shown_name

__all__ = ["COLUMNS", "answer_of_line", "answer_of_row"]

#: The columns of a row that are needed.
COLUMNS = (
    "unit", "row", "kind", "series", "state", "decision", "reasons", "label", "probabilities",
    "scope_score", "plane", "device", "series_instance_uid", "image_facts", "embedding",
)  # fmt: skip

_IMAGES = ("image", "slice")
_LONGEST = 200


def answer_of_row(row: Mapping[str, Any], facts: Sequence[str], number: int = 0) -> Answer | None:
    """Return what a row says of an image; None for rows of whole series, and images without an answer.

    Args:
        row: With ``COLUMNS``.
        facts: The order of its ``image_facts``.
        number: Of the input that it is of; each input counts its units from 0.
    """
    if row["kind"] not in _IMAGES or row["state"] != "answered":
        return None
    named = dict(zip(facts, row["image_facts"] or (), strict=False))
    embedding = row["embedding"]
    return Answer(
        probabilities=row["probabilities"],
        label=row["label"],
        decision=row["decision"],
        reasons=row["reasons"] or (),
        scope_score=row["scope_score"],
        facts=[named[name] for name in FACTS] if all(name in named for name in FACTS) else None,
        embedding=None if embedding is None else np.asarray(embedding, dtype=np.float32),
        plane=shown_name(row["plane"] or ""),
        device=shown_name(row["device"] or "")[:_LONGEST],
        series=row["series_instance_uid"] or _unnamed_series(row, number),
        key=f"{row['unit']}/{row['row']}",
    )


def _unnamed_series(row: Mapping[str, Any], number: int) -> str:
    """Return what slices of a series without a UID share, as those of NIfTI are; empty for single images."""
    return f"{number}/{row['unit']}/{row['series']}" if row["kind"] == "slice" else ""


def answer_of_line(line: Mapping[str, Any], number: int, labels: Sequence[str]) -> Answer:
    """Return what a line of ``brain-infer --json`` says of an image that it answered.

    Args:
        line: With ``status`` ``ok``.
        number: Of the line.
        labels: The order of the classes.

    Raises:
        KeyError: It is no such line; so are the others.
        TypeError: A field is of another type.
        ValueError: A value is none that can be computed with.
    """
    scan = line.get("scan") or {}
    scope = line["scope"]
    return Answer(
        probabilities=[float(line["probabilities"][label]) for label in labels],
        label=str(line["label"]),
        decision=str(line["decision"]),
        reasons=[str(reason) for reason in line["reasons"]],
        scope_score=None if scope is None else float(scope["score"]),
        plane=shown_name(scan.get("plane") or ""),
        series=str(scan.get("series_instance_uid") or ""),
        key=str(number),
    )
