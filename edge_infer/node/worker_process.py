"""The worker process, seen from the node: started, asked, ended if it takes too long."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge_infer import errors
from edge_infer.errors import BrainError, InferenceFailed
from edge_infer.node.config import Audit, Model

__all__ = ["TookTooLong", "WorkerDied", "WorkerProcess", "WorkerStopped"]

_START_TIMEOUT_S = 300.0
_POLL_S = 0.2


class WorkerDied(Exception):
    """The process ended by itself, such as by a crash in a decoder."""


class TookTooLong(Exception):
    """The process was ended because a study took too long."""


class WorkerStopped(Exception):
    """The node stops; the study will be classified after its next start."""


class WorkerProcess:
    """A process that answers one study after the other. Make it in the thread that uses it, which must outlive it.

    Args:
        model: What it loads.
        answering: Name of the module that loads a classifier and answers studies: ``edge_infer.node.answering``.
        is_stopping: Asked while waiting.
        audit: Where it records its answers; None for nowhere.

    Raises:
        BrainError: The bundle cannot be used here.
        WorkerStopped: The node stops.
    """

    def __init__(
        self,
        model: Model,
        answering: str,
        is_stopping: Callable[[], bool],
        audit: Audit | None = None,
    ) -> None:
        self._is_stopping = is_stopping
        self._buffer = b""
        self.answered = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge_infer.node.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is for the node
        )
        options = {
            "parent": os.getpid(),
            "answering": answering,
            "bundle": None if model.bundle is None else os.fspath(model.bundle),
            "trust": None if model.trust is None else os.fspath(model.trust),
            "threads": model.threads,
            "scope": model.scope,
            "despite": list(model.despite),
            "audit": None
            if audit is None
            else {"file": os.fspath(audit.file), "max_bytes": audit.max_bytes},
        }
        try:
            first = self._exchange(options, _START_TIMEOUT_S)
        except WorkerDied:
            raise InferenceFailed(
                "the process that classifies ended while it started", hint="run brain-doctor"
            ) from None
        except TookTooLong:
            raise InferenceFailed("the process that classifies does not start") from None
        if "error" in first:
            self.end()
            raise _as_error(first)
        self.model: dict[str, str] = first["model"]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """Have a study classified.

        Raises:
            WorkerDied: The process is gone.
            TookTooLong: It was ended.
            WorkerStopped: The node stops; the process was ended.
        """
        answer = self._exchange(request, timeout_s)
        self.answered += 1
        return answer

    def end(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _exchange(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise WorkerDied
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except OSError:
            self.end()
            raise WorkerDied from None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            if self._is_stopping():
                self.end()
                raise WorkerStopped
            if time.monotonic() > deadline:
                self.end()
                raise TookTooLong
            if not select.select([stdout], [], [], _POLL_S)[0]:
                continue
            chunk = os.read(stdout.fileno(), 65536)
            if not chunk:
                self.end()
                raise WorkerDied
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer = json.loads(line)
        return dict(answer)


def _as_error(said: Mapping[str, Any]) -> BrainError:
    kinds = [getattr(errors, name) for name in errors.__all__]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BrainError) and kind.code == said["error"]:
            return kind(said["message"], hint=said["hint"])
    return InferenceFailed(said["message"], hint=said["hint"])
