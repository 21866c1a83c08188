"""What is recorded of an answer: digests, numbers and words out of fixed lists; never a name, a path or free text."""

import os
import platform
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_infer.audit.chain import sha256_of
from edge_infer.errors import BrainError, ScanRefused
from edge_infer.version import __version__

if TYPE_CHECKING:
    from edge_infer.classifier import Classifier
    from edge_infer.image_file import ImageSource
    from edge_infer.prediction import Prediction
    from edge_infer.series.result import SeriesResult, SliceAnswer

__all__ = [
    "Entry",
    "digest_of",
    "error_entry",
    "facts_before_loading",
    "facts_of",
    "image_entry",
    "series_entries",
]

Entry = dict[str, Any]


def facts_before_loading(program: str) -> Entry:
    """Return what a record says of the program where no bundle is loaded yet."""
    return {
        "program": program,
        "versions": {"brain-edge": __version__, "python": platform.python_version()},
        "bundle_sha256": None,
        "signed_by": None,
        "provider": None,
        "device": None,
        "num_threads": None,
        "scope": None,
        "despite": [],
    }


def facts_of(classifier: "Classifier", program: str, despite: Collection[str]) -> Entry:
    """Return what every record says of what answers, and of the options that change answers.

    Args:
        classifier: Loaded.
        program: What asks it.
        despite: Refusals of DICOM files that are overruled.
    """
    from edge_infer.report import context_of  # here, because it needs numpy

    runtime = context_of(classifier)["runtime"]
    return {
        "program": program,
        "versions": runtime["versions"],
        "bundle_sha256": classifier.model.manifest_sha256,
        "signed_by": classifier.model.signed_by,
        "provider": runtime["provider"],
        "device": classifier.device,
        "num_threads": runtime["num_threads"],
        "scope": classifier.scope,
        "despite": sorted(despite),
    }


def image_entry(prediction: "Prediction", kind: str = "image", **place: int) -> Entry:
    """Return the record of an answer for an image or a slice.

    Args:
        prediction: The answer.
        kind: ``image`` or ``slice``.
        place: Of a slice: ``series`` and ``number``.
    """
    return {
        "kind": kind,
        **place,
        "input_sha256": prediction.source_sha256,
        "decision": prediction.decision,
        "reasons": [reason.value for reason in prediction.reasons],
        "label": prediction.label,
        "score": prediction.score,
        "probabilities": dict(prediction.probabilities),
    }


def error_entry(error: BrainError, kind: str, input_sha256: str | None, **place: int) -> Entry:
    """Return the record of a refusal or a failure: its code, and never its message."""
    refusal = {"refusal": error.refusal.value} if isinstance(error, ScanRefused) else {}
    return {
        "kind": kind,
        **place,
        "input_sha256": input_sha256,
        "error": error.code,
        **refusal,
    }


def series_entries(result: "SeriesResult") -> Iterator[Entry]:
    """Yield the records of a series: of each slice that was asked or failed, then of the series."""
    for answer in result.slices:
        outcome, place = answer.outcome, {"series": result.number, "number": answer.number}
        if outcome is None:  # an end slice was not asked, and has no answer
            continue
        if outcome.prediction is not None:
            yield image_entry(outcome.prediction, "slice", **place)
        elif outcome.error is not None:
            yield error_entry(outcome.error, "slice", answer.slice.sha256 or None, **place)
    yield {
        "kind": "series",
        "series": result.number,
        "input_sha256": _digest_of_series(result.slices),
        "finding": result.finding,
        "reasons": [reason.value for reason in result.reasons],
        "label": result.label,
        "score": result.score,
        "slices": _counts(result.slices),
    }


def digest_of(source: "ImageSource") -> str | None:
    """Return the digest of what could not be answered, where it can be read all the same.

    Args:
        source: A path, bytes or standard input; of anything else nothing is known.
    """
    from edge_infer.image_file import read_file  # here, because it needs numpy
    from edge_infer.image_limits import MAX_FILE_BYTES
    from edge_infer.scan_files import MAX_SCAN_BYTES
    from edge_infer.standard_input import StandardInput

    try:
        if isinstance(source, str | os.PathLike):
            return sha256_of(read_file(Path(source), limit=MAX_SCAN_BYTES))
        if isinstance(source, StandardInput):  # of more than the limit, only a part was read
            return sha256_of(source.data) if len(source.data) <= MAX_FILE_BYTES else None
    except BrainError:
        return None
    return sha256_of(source) if isinstance(source, bytes | bytearray | memoryview) else None


def _digest_of_series(slices: "tuple[SliceAnswer, ...]") -> str | None:
    """Return one digest for all files of a series: what ``sha256sum FILES | cut -c-64 | sort -u | sha256sum`` gives."""
    digests = {answer.slice.sha256 for answer in slices}
    if "" in digests:
        return None
    return sha256_of("".join(f"{one}\n" for one in sorted(digests)).encode())


def _counts(slices: "tuple[SliceAnswer, ...]") -> dict[str, int]:
    predictions = [one.outcome.prediction for one in slices if one.outcome is not None]
    answered = [one for one in predictions if one is not None]
    return {
        "total": len(slices),
        "classified": len(answered),
        "accepted": sum(one.is_accepted for one in answered),
        "failed": len(predictions) - len(answered),
    }
