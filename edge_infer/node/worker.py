"""The process that classifies, apart from the one that receives: a decoder that crashes takes no image with it.

    python -m edge_infer.node.worker

Speaks JSON lines: the first line of standard input holds options, each further one a study; each gets a line as answer.
Only paths, counts and codes are said. Standard error is not used: native decoders print values of headers there.
"""

import contextlib
import ctypes
import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from edge_infer.atomic import replace_folder_atomically
from edge_infer.audit.log import AuditLog, failures_recorded
from edge_infer.errors import BrainError
from edge_infer.node.quiet import silence_dicom
from edge_infer.private_streams import private_streams
from edge_infer.returned_memory import return_freed_memory
from edge_infer.system_errors import as_brain_error

__all__ = ["main"]

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9


def main() -> int:
    """Serve until standard input ends."""
    return_freed_memory()
    with private_streams() as (source, target):
        silence_dicom()
        return _serve(
            open(source, encoding="utf-8", closefd=False),
            open(target, "w", encoding="utf-8", closefd=False),
        )


def _serve(requests: TextIO, answers: TextIO) -> int:
    options = json.loads(requests.readline())
    _die_with(options["parent"])
    try:
        answering = importlib.import_module(options["answering"])
        log = _log(options["audit"])
        with failures_recorded(log):
            classifier = _classifier(answering, options)
        log = None if log is None else log.of(classifier, despite=options["despite"])
    except Exception as error:
        _say(answers, _error(error))
        return 1
    _say(answers, {"model": _model(classifier), "pid": os.getpid()})
    for line in requests:
        try:
            _say(answers, _answered(answering, classifier, json.loads(line), options, log))
        except Exception as error:
            _say(answers, _error(error))
    return 0


def _log(options: Mapping[str, Any] | None) -> AuditLog | None:
    if options is None:
        return None
    return AuditLog(options["file"], program="brain-node", max_bytes=options["max_bytes"])


def _answered(
    answering: Any,
    classifier: Any,
    request: Mapping[str, Any],
    options: Mapping[str, Any],
    log: AuditLog | None,
) -> dict[str, Any]:
    images = sorted(Path(request["images"]).iterdir())
    with replace_folder_atomically(Path(request["out"])) as folder:
        answer = answering.answer_study(
            classifier,
            images,
            folder,
            despite=options["despite"],
            predecessors=[Path(one) for one in request["predecessors"]],
            warnings=request["warnings"],
            **({} if log is None else {"log": log}),
        )
        files = sorted(path.name for path in folder.rglob("*.dcm"))
    return {"series": len(answer.series), "files": len(files), "refused": answer.refused}


def _classifier(answering: Any, options: Mapping[str, Any]) -> Any:
    bundle, trust = options["bundle"], options["trust"]
    return answering.load_classifier(
        None if bundle is None else Path(bundle),
        threads=options["threads"] or None,
        scope=options["scope"],
        trust=None if trust is None else Path(trust),
    )


def _model(classifier: Any) -> dict[str, str]:
    model = classifier.model
    return {
        "name": model.name,
        "precision": model.precision,
        "manifest_sha256": model.manifest_sha256,
    }


def _error(error: Exception) -> dict[str, Any]:
    named = error if isinstance(error, BrainError) else as_brain_error(error)
    if named is None:  # a bug, or a library's error: where it was, and not what it says
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
        return {"error": "error", "message": f"{type(error).__name__} in {where}", "hint": ""}
    return {"error": named.code, "message": named.message, "hint": named.hint}


def _say(answers: TextIO, value: object) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def _die_with(parent: int) -> None:
    """End with the node, and go before it if memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.name != "nt" and os.getppid() != parent:  # it ended before we asked
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
