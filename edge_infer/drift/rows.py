"""Rows of ``brain-batch`` and lines of ``brain-infer --json`` as answers."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_infer.drift.image_facts import FACTS
from edge_infer.drift.observing import Answer
from edge_infer.names import shown_name
from edge_infer.plain_json import is_number

__all__ = ["COLUMNS", "answer_of_line", "answer_of_row"]

#: The columns of a row that are needed.
COLUMNS = (
    "unit", "row", "kind", "series", "state", "decision", "reasons", "label", "probabilities",
    "scope_score", "plane", "device", "series_instance_uid", "image_facts", "embedding",
)  # fmt: skip

_IMAGES = ("image", "slice")
_LONGEST = 200
#: What the readers put behind the name of a file of several slices.
_SLICE = re.compile(r"#[0-9]+\Z")


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


def answer_of_line(
    line: Mapping[str, Any], number: int, labels: Sequence[str], *, file: int = 0
) -> Answer:
    """Return what a line of ``brain-infer --json`` says of an image that it answered.

    Args:
        line: With ``status`` ``ok``.
        number: Of the line in its file.
        labels: The order of the classes.
        file: Number of the file that it is of; each run counts its series from 1.

    Raises:
        KeyError: It is no such line; so are the others.
        AttributeError: A part is no object.
        TypeError: A field is of another type.
        ValueError: A value is none that can be computed with.
    """
    scan = line.get("scan") or {}
    scope = line["scope"]
    if len(labels) < 2 or line["label"] not in labels:
        raise ValueError("its label is none of several classes")
    return Answer(
        probabilities=[_number(line["probabilities"][label], 1.0) for label in labels],
        label=str(line["label"]),
        decision=str(line["decision"]),
        reasons=[str(reason) for reason in line["reasons"]],
        scope_score=None if scope is None else _number(scope["score"], sys.float_info.max),
        plane=shown_name(scan.get("plane") or ""),
        series=_series_of_line(line, scan, file),
        key=str(number),
    )


def _series_of_line(line: Mapping[str, Any], scan: Mapping[str, Any], file: int) -> str:
    """Return what slices of a series share; empty for an image that is no slice of a scan."""
    if scan.get("series_instance_uid"):
        return str(scan["series_instance_uid"])
    if scan.get("series") is None:
        return ""
    # The number alone would not do: a file may hold the lines of several runs, one behind the other.
    return f"{file}/{scan['series']}/{_place(line, scan)}"


def _place(line: Mapping[str, Any], scan: Mapping[str, Any]) -> str:
    """Return where a series without a UID lies, which is what makes it one: its file, or the folder of its files."""
    source = str(line.get("source") or "")
    name = _SLICE.sub("", source)
    # A file of one slice may have such a name, too; it is DICOM, and has no frames.
    is_one = scan.get("frame_number") is None and scan.get("sop_instance_uid")
    if name != source and not is_one:
        return f"{name} {line.get('source_sha256')}"  # of standard input, every name is the same
    return source[: max(source.rfind(mark) for mark in "/\\!") + 1]


def _number(value: object, most: float) -> float:
    if not is_number(value, 0, most):
        raise ValueError(f"expected a number from 0 to {most:g}")
    return float(value)  # type: ignore[arg-type]  # is_number has looked
