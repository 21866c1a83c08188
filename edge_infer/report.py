"""Results as text for people, and as JSON lines (docs/result.schema.json) and CSV for programs."""

import csv
import io
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edge_infer.classifier import Classifier, Outcome
from edge_infer.contract import RESEARCH_USE_ONLY, RESULT_SCHEMA_VERSION
from edge_infer.errors import BrainError
from edge_infer.image_file import source_name
from edge_infer.names import shown_name
from edge_infer.prediction import Prediction, shown_classes
from edge_infer.runtime import versions
from edge_infer.version import __version__

__all__ = [
    "Context",
    "ScanFields",
    "context_of",
    "csv_header",
    "csv_row",
    "json_fields",
    "json_line",
    "text_block",
]

Context = dict[str, Any]
#: What JSON and CSV say of the slice of a scan, beside its answer.
ScanFields = Mapping[str, Any]

#: The columns of a table that only slices of scans fill.
_SCAN_COLUMNS = (
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "frame_number",
    "position_mm",
    "plane",
    "series",
    "series_finding",
    "series_reasons",
)

_BAR_WIDTH = 30
#: What makes a spreadsheet run a cell as a formula, at its start or behind a semicolon, which separates cells where the
#: comma is the decimal sign (OWASP: CSV Injection). The last four are the same signs in East Asian width.
_FORMULA = re.compile(r"(^|;)( *)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def context_of(classifier: Classifier) -> Context:
    """Return what every result of one run shares: model and runtime."""
    return {
        "model": {
            name: value for name, value in asdict(classifier.model).items() if value is not None
        },
        "runtime": {
            "provider": classifier.session.provider,
            "num_threads": classifier.session.num_threads,
            "versions": {
                "brain-edge": __version__,
                "python": platform.python_version(),
                **versions(),
            },
        },
        "research_use_only": RESEARCH_USE_ONLY,
    }


def json_line(outcome: Outcome, context: Context, scan: ScanFields | None = None) -> str:
    """Render one outcome as one line of JSON, without NaN and without a line end.

    Args:
        outcome: Of an image, or of a slice of a scan. One without prediction and error was not asked.
        context: Of ``context_of``.
        scan: Of a slice.
    """
    return json.dumps(json_fields(outcome, context, scan), allow_nan=False)


def json_fields(
    outcome: Outcome, context: Context, scan: ScanFields | None = None
) -> dict[str, Any]:
    """Return what ``json_line`` renders; arguments as there."""
    fields = {"schema_version": RESULT_SCHEMA_VERSION, **_result(outcome)}
    if scan is not None:
        fields["scan"] = dict(scan)
    return {**fields, **context}


def _result(outcome: Outcome) -> dict[str, Any]:
    if outcome.prediction is None and outcome.error is None:
        return {"status": "skipped", "source": source_name(outcome.source)}
    if outcome.prediction is None:
        error = outcome.error or BrainError("no answer")
        return {
            "status": "error",
            "source": source_name(outcome.source),
            "error": {
                "code": error.code,
                "exit_code": error.exit_code,
                "message": error.message,
                "hint": error.hint,
            },
        }
    prediction = outcome.prediction
    return {
        "status": "ok",
        "decision": prediction.decision,
        "reasons": [reason.value for reason in prediction.reasons],
        "prediction_set": list(prediction.prediction_set),
        "scope": _scope(prediction),
        "source": prediction.source,
        "source_sha256": prediction.source_sha256,
        "label": prediction.label,
        "score": prediction.score,
        "probabilities": dict(prediction.probabilities),
        "logits": dict(prediction.logits),
        "timings_ms": {step: round(ms, 3) for step, ms in prediction.timings_ms.items()},
        "warnings": list(prediction.warnings),
    }


def _scope(prediction: Prediction) -> dict[str, float] | None:
    if prediction.scope_score is None or prediction.scope_threshold is None:
        return None
    return {"score": prediction.scope_score, "threshold": prediction.scope_threshold}


def csv_header(labels: Sequence[str]) -> str:
    """Return the first line of a CSV, with its line end."""
    return _csv_line(
        [
            "source",
            "status",
            "decision",
            "reasons",
            "prediction_set",
            "label",
            "score",
            *(f"probability_{label}" for label in labels),
            "error_code",
            "error_message",
            "source_sha256",
            "model",
            "precision",
            "manifest_sha256",
            "provider",
            "research_use_only",
            *_SCAN_COLUMNS,
        ]
    )


def csv_row(
    outcome: Outcome,
    labels: Sequence[str],
    context: Context,
    scan: ScanFields | None = None,
) -> str:
    """Return one outcome as a line of CSV, with its line end, that UTF-8 can hold.

    Names are written as in messages (``shown_name``), with an apostrophe before what a spreadsheet would run.

    Args:
        outcome: As for ``json_line``.
        labels: Of the bundle.
        context: Of ``context_of``.
        scan: Of a slice.
    """
    model = context["model"]
    shared = [
        model["name"],
        model["precision"],
        model["manifest_sha256"],
        context["runtime"]["provider"],
        context["research_use_only"],
        *(_cell((scan or {}).get(name)) for name in _SCAN_COLUMNS),
    ]
    prediction = outcome.prediction
    if prediction is None:
        error = outcome.error
        status = "skipped" if error is None else "error"
        blanks = [""] * (5 + len(labels))
        told = ["", ""] if error is None else [error.code, error.message]
        return _csv_line([source_name(outcome.source), status, *blanks, *told, "", *shared])
    probabilities = [f"{prediction.probabilities[label]:.6f}" for label in labels]
    decided = [
        prediction.decision,
        " ".join(reason.value for reason in prediction.reasons),
        _set_cell(prediction.prediction_set, labels),
    ]
    answer = [prediction.label, f"{prediction.score:.6f}", *probabilities]
    row = [prediction.source, "ok", *decided, *answer]
    return _csv_line([*row, "", "", prediction.source_sha256, *shared])


def text_block(prediction: Prediction, *, bar: str = "█") -> str:
    """Render one prediction for people: the decision and the answer, then a bar for each class."""
    shown, more = shown_classes(prediction.probabilities)
    labels = {label: shown_name(label) for label in shown}
    width = max(map(len, labels.values()))
    answer = f"{shown_name(prediction.label)} ({prediction.score:.1%})"
    if not prediction.is_accepted:
        answer = f"{prediction.decision_words}; nearest answer {answer}"
    elif prediction.reasons:
        answer = f"{prediction.decision_words}: {answer}"
    lines = [f"{shown_name(prediction.source)}: {answer}"]
    if prediction.undecided_words:
        lines.append(f"  {prediction.undecided_words}")
    if not prediction.is_accepted:
        lines.append("  not accepted:")
    for label, name in labels.items():
        probability = prediction.probabilities[label]
        bars = bar * round(probability * _BAR_WIDTH)
        lines.append(f"  {name:<{width}}  {probability:>6.1%}  {bars}".rstrip())
    if more:
        lines.append(f"  and {more} more")
    lines.extend(f"  note: {shown_name(warning)}" for warning in prediction.warnings)
    return "\n".join(lines)


def _set_cell(prediction_set: Sequence[str], labels: Sequence[str]) -> str:
    """Return the set with spaces between its labels; as a list in JSON if a label of the bundle holds a space."""
    if any(" " in label for label in labels):
        return json.dumps(list(prediction_set), ensure_ascii=False)
    return " ".join(prediction_set)


def _cell(value: object) -> str | float:
    if isinstance(value, float):
        return value
    return "" if value is None else str(value)


def _csv_line(cells: Sequence[str | float]) -> str:
    line = io.StringIO()
    # A number below zero begins with a sign that a formula may begin with, and is none.
    shown = (f"{cell:.3f}" if isinstance(cell, float) else _harmless(cell) for cell in cells)
    csv.writer(line, lineterminator="\n").writerow(shown)
    return line.getvalue()


def _harmless(cell: str) -> str:
    return _FORMULA.sub(r"\1\2'", shown_name(cell))
