"""One study in a folder, its results into another: the contract of mercure, MONAI and Kaapana modules."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.audit.log import AuditLog, failures_recorded
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite, NoInputs
from edge_infer.names import shown_name
from edge_infer.node.answering import Answer, Answerer, answer_study, load_classifier
from edge_infer.node.config import Model
from edge_infer.node.task_settings import TASK_FILE, read_task_settings
from edge_infer.version import __version__

__all__ = ["RESULT_FILE", "folder_of", "run_task"]

RESULT_FILE = "result.json"

_INPUT = ("MERCURE_IN_DIR", "HOLOSCAN_INPUT_PATH", "MONAI_INPUTPATH")
_OUTPUT = ("MERCURE_OUT_DIR", "HOLOSCAN_OUTPUT_PATH", "MONAI_OUTPUTPATH")

#: What mercure lays beside each image: its header as JSON, names included. Not read.
_TAGS = ".tags"


def folder_of(given: Path | None, environment: Mapping[str, str], *, is_input: bool) -> Path:
    """Return the folder that was given, else the one that the environment names.

    Raises:
        NoInputs: Neither names one.
    """
    if given is not None:
        return given
    names = _INPUT if is_input else _OUTPUT
    for name in names:
        if environment.get(name):
            return Path(environment[name])
    option = "--input" if is_input else "--output"
    raise NoInputs(f"no folder: {option} is not given and {names[0]} is not set")


def run_task(
    source: Path, target: Path, *, answerer: Answerer = answer_study, log: AuditLog | None = None
) -> Answer:
    """Classify the study in a folder.

    Args:
        source: Read only; images as ``*.dcm`` or without an ending, settings in ``task.json``.
        target: Exists or is created; ``*.dcm`` and ``result.json`` are written flat into it.
        answerer: What classifies; for tests.
        log: Where answers, refusals and failures are recorded before they are given out; None for nowhere.

    Raises:
        NoInputs: There is no image, or none can be read.
        BrainError: Anything else that went wrong.
    """
    with failures_recorded(log):
        return _run_task(source, target, answerer, log)


def _run_task(source: Path, target: Path, answerer: Answerer, log: AuditLog | None) -> Answer:
    settings = read_task_settings(source)
    images = _images(source)
    classifier = load_classifier(
        settings.bundle,
        threads=settings.threads or None,
        scope=settings.scope,
        trust=settings.trust,
    )
    extra: dict[str, Any] = {}
    if log is not None:
        extra = {"log": log.of(classifier, despite=settings.despite)}
    with _temporary(target) as aside:
        answer = answerer(classifier, images, Path(aside), despite=settings.despite, **extra)
        if not answer.series:
            named = ", ".join(f"{count} {code}" for code, count in sorted(answer.refused.items()))
            raise NoInputs(
                f"none of {len(images)} files can be read as a series ({named})",
                hint="it reads MR images of the head; see docs/dicom.md",
            )
        for path in sorted(Path(aside).rglob("*.dcm")):
            path.replace(target / path.name)
    write_bytes_atomically(target / RESULT_FILE, _result(answer, settings))
    return answer


def _images(source: Path) -> list[Path]:
    try:
        found = sorted(path for path in source.iterdir() if path.is_file())
    except OSError as error:
        raise NoInputs(
            f"{shown_name(source)}: cannot be read ({error.strerror})",
            hint="name a folder of images",
        ) from None
    images = [path for path in found if path.name != TASK_FILE and path.suffix != _TAGS]
    if not images:
        raise NoInputs(f"{shown_name(source)}: holds no image")
    return images


def _temporary(target: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        target.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=target, prefix=".brain-node-")
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(target)}: cannot be written ({error.strerror})",
            hint="the user that runs the module must be allowed to write there",
        ) from None


def _result(answer: Answer, settings: Model) -> bytes:
    result: dict[str, Any] = {
        "notice": RESEARCH_USE_ONLY,
        "version": __version__,
        "scope": settings.scope,
        "series": answer.series,
        "refused": answer.refused,
        "files": [path.name for path in answer.files],
    }
    return (json.dumps(result, indent=1, allow_nan=False) + "\n").encode()
