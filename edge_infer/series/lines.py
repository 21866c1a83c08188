"""A series in JSON: what is added to the line of each slice, and a line for the series (docs/series.schema.json)."""

import json
from collections import Counter
from typing import Any

from edge_infer.classifier import Outcome
from edge_infer.report import Context, ScanFields
from edge_infer.series.result import Run, SeriesResult, SliceAnswer, SliceState

__all__ = [
    "SERIES_SCHEMA_VERSION",
    "outcome_of",
    "scan_fields",
    "series_fields",
    "series_line",
    "source_of",
]

SERIES_SCHEMA_VERSION = 1

_DIGITS = 3


def outcome_of(answer: SliceAnswer) -> Outcome:
    """Return what became of a slice, as for an image; without answer and error if it was not asked."""
    return answer.outcome or Outcome(source=answer.slice.name)


def scan_fields(answer: SliceAnswer, result: SeriesResult) -> ScanFields:
    """Return what JSON and CSV say of a slice beside its answer: identifiers and numbers, no names."""
    named, lies = answer.slice.identity, answer.slice.geometry
    return {
        "series": result.number,
        "number": answer.number,
        "study_instance_uid": named.study_instance_uid if named else "",
        "series_instance_uid": named.series_instance_uid if named else "",
        "sop_instance_uid": named.sop_instance_uid if named else "",
        "frame_number": named.frame_number if named else None,
        "plane": lies.plane if lies else None,
        "position_mm": round(lies.position_mm, _DIGITS) if lies else None,
        "shown": lies.shown if lies else "as stored",
        "grey": answer.grey,
        "state": answer.state.value,
        "head_share": None if answer.head_share is None else round(answer.head_share, _DIGITS),
        "warnings": list(answer.warnings),
    }


def series_line(result: SeriesResult, context: Context) -> str:
    """Render the result for a series as one line of JSON, without NaN and without a line end."""
    return json.dumps(series_fields(result, context), allow_nan=False)


def series_fields(result: SeriesResult, context: Context) -> dict[str, Any]:
    """Return what ``series_line`` renders."""
    return {
        "schema_version": SERIES_SCHEMA_VERSION,
        "kind": "series",
        "number": result.number,
        "source": source_of(result),
        "study_instance_uid": result.study_instance_uid,
        "series_instance_uid": result.series_instance_uid,
        "plane": result.plane,
        "sequence": {
            "name": result.sequence.name,
            "reasons": list(result.sequence.reasons),
            "contrast": result.sequence.contrast,
        },
        "finding": result.finding,
        "reasons": [reason.value for reason in result.reasons],
        "label": result.label,
        "score": result.score,
        "scored": _place(result.scored, result) if result.scored else None,
        "rule": result.rule,
        "slices": _counts(result),
        "labels": _labels(result),
        "runs": [_run(run, result) for run in result.runs],
        "warnings": list(result.warnings),
        **context,
    }


def source_of(result: SeriesResult) -> str:
    """Return where a series lies: its file, its archive, or the folder that its files share."""
    names = list(dict.fromkeys(answer.slice.file.name for answer in result.slices))
    if len(names) == 1:
        return names[0]
    shared = names[0]
    for name in names[1:]:
        while not name.startswith(shared):
            shared = shared[:-1]
    cut = max(shared.rfind("/"), shared.rfind("\\"), shared.rfind("!"))
    return (shared[:cut] if cut > 0 else shared[: cut + 1]) or "."


def _counts(result: SeriesResult) -> dict[str, int]:
    states = Counter(answer.state for answer in result.slices)
    accepted = sum(_is_accepted(answer) for answer in result.slices)
    return {
        "total": len(result.slices),
        "classified": states[SliceState.CLASSIFIED],
        "accepted": accepted,
        "abstained": states[SliceState.CLASSIFIED] - accepted,
        "end_slices": states[SliceState.END_SLICE],
        "failed": states[SliceState.FAILED],
    }


def _labels(result: SeriesResult) -> dict[str, int]:
    """Return how many accepted slices are called what."""
    called = [
        answer.outcome.prediction.label
        for answer in result.slices
        if _is_accepted(answer) and answer.outcome and answer.outcome.prediction
    ]
    return dict(sorted(Counter(called).items()))


def _is_accepted(answer: SliceAnswer) -> bool:
    prediction = answer.outcome.prediction if answer.outcome else None
    return (
        answer.state is SliceState.CLASSIFIED and prediction is not None and prediction.is_accepted
    )


def _run(run: Run, result: SeriesResult) -> dict[str, Any]:
    length = None if run.length_mm is None else round(run.length_mm, _DIGITS)
    place = _place((run.first, run.last), result)
    return {"label": run.label, "slices": run.slices, "length_mm": length, **place}


def _place(numbers: tuple[int, int], result: SeriesResult) -> dict[str, Any]:
    first, last = (result.slices[number - 1].slice.geometry for number in numbers)
    return {
        "first": numbers[0],
        "last": numbers[1],
        "first_mm": None if first is None else round(first.position_mm, _DIGITS),
        "last_mm": None if last is None else round(last.position_mm, _DIGITS),
    }
