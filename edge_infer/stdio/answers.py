"""Lines to the host: each is one ASCII JSON object, written whole, whichever thread writes it."""

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.answer_lines import Line, bundle_facts
from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BrainError, CannotWrite
from edge_infer.results import WholeRecords
from edge_infer.stdio.protocol import (
    MAX_CONTENT_BYTES,
    MAX_LINE_BYTES,
    MAX_REQUESTS,
    PROTOCOL,
    VERSIONS,
    OutOfStep,
    RequestId,
    RequestRefused,
)
from edge_infer.system_errors import as_brain_error

__all__ = ["Answers", "HostGone"]

_ENDS = {
    "cancelled": "the host does not want it any more",
    "stopping": "the worker was told to stop",
}


class HostGone(Exception):
    """Nothing can be said any more.

    Attributes:
        error: As a command ends with it.
    """

    def __init__(self, error: BrokenPipeError | CannotWrite) -> None:
        super().__init__()
        self.error = error


class Answers:
    """Says what happened.

    If the host does not read, each method waits: nothing is kept for it. If the host is gone, each raises ``HostGone``.

    Args:
        descriptor: Stays open.
    """

    def __init__(self, descriptor: int) -> None:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(descriptor, os.O_BINARY)
        self._records = WholeRecords(descriptor, encoding="ascii", errors="strict")
        self._lock = threading.Lock()

    def ready(self, classifier: Classifier) -> None:
        """Say the first line: what this worker is, and what it can."""
        self._say(
            "ready",
            protocol=PROTOCOL,
            versions=list(VERSIONS),
            pid=os.getpid(),
            limits={
                "line_bytes": MAX_LINE_BYTES,
                "content_bytes": MAX_CONTENT_BYTES,
                "requests": MAX_REQUESTS,
            },
            bundle=bundle_facts(classifier),
            research_use_only=RESEARCH_USE_ONLY,
        )

    def hello(self, identity: RequestId, version: int) -> None:
        """Say which version is spoken."""
        self._say("hello", id=identity, version=version)

    def pong(self, identity: RequestId, counts: Mapping[str, int]) -> None:
        """Say that the worker lives, and what it does."""
        self._say("pong", id=identity, **counts)

    def progress(self, identity: RequestId, done: int, total: int) -> None:
        """Say how far a series is."""
        self._say("progress", id=identity, done=done, total=total)

    def result(self, identity: RequestId, line: Line) -> None:
        """Give one answer: of an image, a slice or a series."""
        self._say("result", id=identity, line=line)

    def done(self, identity: RequestId, *, lines: int | None = None, left_out: str = "") -> None:
        """End a request that was carried out.

        Args:
            identity: Of the request.
            lines: How many results there were; None for a request that has none.
            left_out: What of folders was not looked at, in words.
        """
        told = {} if lines is None else {"lines": lines}
        self._say("done", id=identity, **told, **({"left_out": left_out} if left_out else {}))

    def refused(self, refusal: RequestRefused, identity: RequestId | None) -> None:
        """End a request that was not accepted."""
        self._error(identity, refusal.code, refusal.message)

    def ended(self, identity: RequestId, code: str) -> None:
        """End a request that was not carried out to its end, since somebody wanted that."""
        self._error(identity, code, _ENDS[code])

    def failed(self, identity: RequestId, error: Exception) -> None:
        """End a request by an error that is none of its images."""
        self._error(identity, *_told(error))

    def fatal(self, error: Exception) -> None:
        """Say why this is the last line."""
        named = _named(error)
        status = BrainError.exit_code if named is None else named.exit_code
        self._error(None, *_told(error), exit_status=status)

    def lost(self, lost: OutOfStep, exit_status: int) -> None:
        """Say why this is the last line, although the host goes on."""
        self._error(lost.id, lost.code, lost.message, lost.hint, exit_status)

    def _error(
        self,
        identity: RequestId | None,
        code: str,
        message: str,
        hint: str = "",
        exit_status: int | None = None,
    ) -> None:
        last = {} if exit_status is None else {"exit_status": exit_status}
        told = {"code": code, "message": message, "hint": hint}
        self._say("error", id=identity, error=told, **last)

    def _say(self, event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, **fields}, allow_nan=False) + "\n"
        with self._lock:
            try:
                self._records.write(line)
            except (BrokenPipeError, CannotWrite) as error:
                raise HostGone(error) from error


def _told(error: Exception) -> tuple[str, str, str]:
    """Return code, message and hint."""
    named = _named(error)
    if named is not None:
        return named.code, named.message, named.hint
    # A bug, or a library's error: where it was, and not what it says, which may be a value of a header.
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
    return "internal", where, "report it"


def _named(error: Exception) -> BrainError | None:
    return error if isinstance(error, BrainError) else as_brain_error(error)
