"""Answers become rows: every field of ``FIELDS``, in their order, and nothing that differs from run to run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_infer.batch.row import FIELDS, Row
from edge_infer.batch.units import Unit
from edge_infer.errors import BrainError
from edge_infer.names import shown_name
from edge_infer.prediction import Prediction
from edge_infer.series.result import Refused, SeriesResult, SliceAnswer, SliceState

__all__ = [
    "Facts",
    "failed_row",
    "image_row",
    "numbered",
    "refused_row",
    "series_row",
    "slice_row",
]

#: Of an image: its statistics, and its embedding where that is asked for.
Facts = tuple[list[float], list[float] | None]

_STATES = {
    SliceState.CLASSIFIED: "answered",
    SliceState.END_SLICE: "not_asked",
    SliceState.FAILED: "failed",
}


def numbered(number: int, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a unit, with its number and theirs, ready to be written."""
    return [
        {name: _storable(value) for name, value in {**row, "unit": number, "row": index}.items()}
        for index, row in enumerate(rows)
    ]


def image_row(unit: Unit, prediction: Prediction, facts: Facts) -> Row:
    """Return the row of an image that was answered."""
    return _row("image", unit) | _answer(prediction, facts) | {"member": _only_member(unit)}


def failed_row(unit: Unit, error: BrainError, *, sha256: str | None = None) -> Row:
    """Return the row of an image, or of a whole study, that has no answer.

    Args:
        unit: It.
        error: Why.
        sha256: Of its bytes, if they were read.
    """
    is_image = unit.kind == "image"
    return _row("image" if is_image else "series", unit) | {
        "member": _only_member(unit) if is_image else None,
        "sha256": sha256,
        **_failure(error),
    }


def refused_row(unit: Unit, refused: Refused) -> Row:
    """Return the row of a file of a study that is not read."""
    return _row("refused", unit) | {
        "member": _member(unit.source, refused.name),
        **_failure(refused.error),
    }


def slice_row(unit: Unit, answer: SliceAnswer, result: SeriesResult, facts: Facts | None) -> Row:
    """Return the row of a slice.

    Args:
        unit: Its study.
        answer: What became of it.
        result: Of its series.
        facts: Of a slice that was answered.
    """
    one = answer.slice
    row = _row("slice", unit)
    outcome = answer.outcome
    warnings = list(answer.warnings)
    if outcome is not None and outcome.prediction is not None and facts is not None:
        row |= _answer(outcome.prediction, facts)
        warnings = list(dict.fromkeys((*warnings, *outcome.prediction.warnings)))
    elif outcome is not None and outcome.error is not None:
        row |= _failure(outcome.error)
    named = one.identity
    return row | {
        "state": _STATES[answer.state],
        "member": _member(unit.source, one.file.name),
        "frame": _frame(one.name, one.file.name),
        "sha256": one.sha256 or row["sha256"],
        "warnings": warnings,
        "plane": one.geometry.plane if one.geometry else None,
        "device": one.device or None,
        "series": result.number,
        "series_instance_uid": (named.series_instance_uid if named else "") or None,
    }


def series_row(unit: Unit, result: SeriesResult) -> Row:
    """Return the row of a series; it failed if no slice has an answer and one could not be read."""
    failed = [one.outcome.error for one in result.slices if one.outcome and one.outcome.error]
    row = _row("series", unit)
    if result.classified or not failed:
        row["state"] = "answered" if result.classified else "not_asked"
    else:
        row |= _failure(failed[0])
    if result.classified:
        row |= {
            "decision": "abstain" if result.finding == "abstain" else "accept",
            "label": result.label or None,
            "score": result.score,
        }
    devices = {one.slice.device for one in result.slices}
    return row | {
        "reasons": [reason.value for reason in result.reasons],
        "finding": result.finding,
        "warnings": list(result.warnings),
        "plane": result.plane,
        "device": (devices.pop() if len(devices) == 1 else "") or None,
        "series": result.number,
        "series_instance_uid": result.series_instance_uid or None,
    }


def _row(kind: str, unit: Unit) -> Row:
    empty: Row = dict.fromkeys(name for name, _, _ in FIELDS)
    return empty | {"kind": kind, "source": unit.source}


def _failure(error: BrainError) -> Row:
    return {"state": "failed", "code": error.code, "message": error.message}


def _answer(prediction: Prediction, facts: Facts) -> Row:
    width, height = prediction.source_size or (None, None)
    statistics, embedding = facts
    return {
        "state": "answered",
        "sha256": prediction.source_sha256,
        "decision": prediction.decision,
        "reasons": [reason.value for reason in prediction.reasons],
        "label": prediction.label,
        "score": prediction.score,
        "probabilities": list(prediction.probabilities.values()),
        "prediction_set": list(prediction.prediction_set),
        "scope_score": prediction.scope_score,
        "warnings": list(prediction.warnings),
        "width": width,
        "height": height,
        "image_facts": statistics,
        "embedding": embedding,
    }


def _only_member(unit: Unit) -> str | None:
    return unit.members[0] if unit.members else None


def _member(source: str, name: str) -> str | None:
    """Return the name of a file within its study; None if it is the study."""
    for place in (source, str(Path(source))):  # Path makes one stroke of the two of a URL
        if name == place:
            return None
        for mark in ("!", "/", "\\"):
            if name.startswith(place + mark):
                return name[len(place) + 1 :]
    return name


def _frame(name: str, file: str) -> int | None:
    """Return the number of a frame, which stands behind the name of its file."""
    number = name.removeprefix(f"{file}#")
    return int(number) if number != name and number.isascii() and number.isdigit() else None


def _storable(value: Any) -> Any:
    """Return text without what UTF-8 cannot hold, such as bytes of another encoding in a name; see ``shown_name``."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "".join(shown_name(one) if "\ud800" <= one <= "\udfff" else one for one in value)
    if isinstance(value, list):
        return [_storable(one) for one in value] if value and isinstance(value[0], str) else value
    return value
