"""Studies that are complete get their answers, one after the other: from ``ready`` to ``results`` or ``failed``."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_infer.audit.log import AuditLog
from edge_infer.errors import BrainError, CannotWrite
from edge_infer.node.config import NodeConfig
from edge_infer.node.disk import sha256_of
from edge_infer.node.log import reason_of
from edge_infer.node.notes import now, read_note, update_note
from edge_infer.node.spool import Round, Spool
from edge_infer.node.turns import Turns
from edge_infer.node.worker_process import TookTooLong, WorkerDied, WorkerProcess, WorkerStopped

__all__ = ["Classifying"]

_LOG = logging.getLogger(__name__)

#: The process starts anew after so many studies, in case a library keeps memory.
_STUDIES_PER_PROCESS = 500

#: A study at which the process crashed so often is given up.
_MAX_CRASHES = 3

#: A study during which the whole node ended so often is given up: it may be what ends it.
_MAX_INTERRUPTIONS = 20

_PAUSE_S = 0.3
#: So long a study waits that could not be begun or written, such as for want of room; and so long all wait if the
#: process cannot start.
_LATER_S = 30.0

#: Codes that say nothing about the study: it waits until they are gone.
_NOT_ITS_FAULT = {"cannot_write", "locked"}


class Classifying:
    """Works in a thread of its own from ``start`` until ``stop``."""

    def __init__(
        self, config: NodeConfig, spool: Spool, answering: str, on_answered: Callable[[], None]
    ) -> None:
        self._on_answered = on_answered
        self._config, self._spool, self._answering = config, spool, answering
        self._stop, self._wake = threading.Event(), threading.Event()
        self._turns = Turns("complete_at")
        self._later: dict[str, float] = {}
        self._worker: WorkerProcess | None = None
        self._log: AuditLog | None = None
        self._started = threading.Event()
        self._start_error: BrainError | None = None
        self._thread = threading.Thread(target=self._run, name="classifying")
        self.model: dict[str, str] = {}
        self.busy_with = ""

    def start(self) -> None:
        """Start, and wait until the bundle has given its known answers.

        Raises:
            BrainError: The bundle or the audit log cannot be used here.
        """
        audit = self._config.audit
        if audit is not None:
            self._log = AuditLog(audit.file, program="brain-node", max_bytes=audit.max_bytes)
        self._thread.start()
        self._started.wait()
        if self._start_error is not None:
            self._thread.join()
            raise self._start_error

    def wake(self) -> None:
        """A study has come: look at once."""
        self._wake.set()

    def stop(self) -> None:
        """Stop; a study in progress begins anew after the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker."""
        worker = self._worker
        return worker.pid if worker is not None else None

    def _run(self) -> None:
        try:
            self._worker = self._new_worker()
            self.model = self._worker.model
        except BrainError as error:
            self._start_error = error
            return
        except WorkerStopped:
            return
        finally:
            self._started.set()
        try:
            while not self._stop.is_set():
                self._wake.clear()
                pause = self._one_turn()
                if pause and not self._stop.is_set():
                    self._wake.wait(pause)
        finally:
            if self._worker is not None:
                self._worker.end()

    def _one_turn(self) -> float:
        """Classify whose turn it is; return how long to pause."""
        try:
            one = self._next()
        except OSError as error:  # of the disk: no study is at fault
            _LOG.error("studies wait: the spool cannot be read: %s", reason_of(error))
            return _LATER_S
        return _PAUSE_S if one is None else self._guarded(one)

    def _next(self) -> Round | None:
        """Return whose turn it is; one that could not be begun lets the others go first for a while."""
        waiting = self._turns.in_order(self._spool.rounds("ready"))
        names = {one.name for one in waiting}
        self._later = {name: until for name, until in self._later.items() if name in names}
        ready = (one for one in waiting if self._later.get(one.name, 0.0) <= time.monotonic())
        return next(ready, None)

    def _new_worker(self) -> WorkerProcess:
        config = self._config
        return WorkerProcess(config.model, self._answering, self._stop.is_set, config.audit)

    def _running_worker(self) -> WorkerProcess:
        """Return the process that classifies; a new one if there is none, or it has answered enough.

        Raises:
            OSError: No process can be started.
            BrainError: The bundle cannot be used now.
            WorkerStopped: The node stops.
        """
        if self._worker is not None and self._worker.answered >= _STUDIES_PER_PROCESS:
            self._worker.end()
            self._worker = None
        if self._worker is None:
            self._worker = self._new_worker()
        return self._worker

    def _guarded(self, one: Round) -> float:
        """Classify a round; return how long to pause."""
        try:
            worker = self._running_worker()  # before the study is touched, whose fault it is not
        except WorkerStopped:
            return 0.0
        except (OSError, BrainError) as error:  # no memory for it, or a bundle that is gone
            _LOG.error(
                "studies wait: the process that classifies cannot start: %s", reason_of(error)
            )
            return _LATER_S
        self.busy_with = one.key
        try:
            return self._classify(one, worker)
        except WorkerStopped:
            _forget_start(one)
            return 0.0
        except (OSError, BrainError) as error:  # of the disk
            _forget_start(one)
            _LOG.error("study %s waits: %s", one.key, reason_of(error))
            self._later[one.name] = time.monotonic() + _LATER_S
            return _PAUSE_S
        finally:
            self.busy_with = ""

    def _classify(self, one: Round, worker: WorkerProcess) -> float:
        note = read_note(one.folder)
        interruptions = note.get("interruptions", 0)
        was_put_back = one.name in self._later  # by this node, which did not end
        if note.get("started_at") is not None and not was_put_back:
            interruptions += 1
        if interruptions >= _MAX_INTERRUPTIONS:
            return self._fail(one, "interrupted", "the node ended each time it was classified")
        update_note(
            one.folder,
            started_at=now(),
            interruptions=interruptions or None,
            # Of an answer that could not be moved on: its files are written anew.
            answered_at=None,
            sha256=None,
        )
        try:
            answer = worker.ask(
                self._request(one, note), timeout_s=self._config.limits.study_timeout_s
            )
        except TookTooLong:
            self._worker = None
            return self._fail(one, "timed_out", "it took longer than study_timeout_s")
        except WorkerDied:
            self._worker = None
            crashes = note.get("crashes", 0) + 1
            if crashes >= _MAX_CRASHES:
                return self._fail(
                    one, "crashed", f"the process that classifies ended {crashes} times"
                )
            update_note(one.folder, crashes=crashes, started_at=None)
            _LOG.error("study %s: the process that classifies ended; it is tried again", one.key)
            return _PAUSE_S
        return self._settle(one, note, answer)

    def _request(self, one: Round, note: dict[str, Any]) -> dict[str, Any]:
        return {
            "images": str(one.images),
            "out": str(one.out),
            "predecessors": [str(path) for path in self._predecessors(one)],
            "warnings": _warnings(note),
        }

    def _predecessors(self, one: Round) -> list[Path]:
        """Return the results of the round before, which the new ones replace; none if they cannot be read."""
        try:
            before = [x for x in self._spool.rounds_of(one.key) if x.number < one.number]
            for former in reversed(before):
                if former.stage in ("results", "sent") and former.out.is_dir():
                    return former.results()
        except OSError as error:  # no study waits for an earlier one that the disk has harmed
            _LOG.error(
                "study %s: its earlier results cannot be read: %s; the report names none",
                one.key,
                reason_of(error),
            )
        return []

    def _settle(self, one: Round, note: dict[str, Any], answer: dict[str, Any]) -> float:
        if "error" in answer:
            if answer["error"] in _NOT_ITS_FAULT:
                raise CannotWrite(answer["message"])
            return self._fail(one, answer["error"], answer["message"])
        refused = answer["refused"]
        if not answer["series"]:
            named = ", ".join(f"{count} {code}" for code, count in sorted(refused.items()))
            text = f"none of its {note.get('images', 0)} files can be read as a series ({named})"
            return self._fail(one, "no_readable_series", text, refused=refused)
        update_note(
            one.folder,
            answered_at=now(),
            series=answer["series"],
            objects=answer["files"],
            sha256=sha256_of(one.results()),
            refused=refused or None,
            started_at=None,
        )
        self._spool.move(one, "results")
        self._on_answered()
        _LOG.info(
            "study %s answered: %d series, %d objects to send",
            one.key,
            answer["series"],
            answer["files"],
        )
        return 0.0

    def _fail(self, one: Round, code: str, message: str, **values: Any) -> float:
        if self._log is not None:
            self._log.write([{"kind": "study", "input_sha256": None, "error": code}])
        update_note(
            one.folder, code=code, message=message, failed_at=now(), started_at=None, **values
        )
        self._spool.move(one, "failed")
        _LOG.error("study %s FAILED, %s: %s", one.key, code, message)
        return 0.0


def _forget_start(one: Round) -> None:
    """Note that the node did not end while it was at this study; if it cannot be noted, go on."""
    with contextlib.suppress(OSError, BrainError):  # a full disk, or the round has moved on
        update_note(one.folder, started_at=None)


def _warnings(note: dict[str, Any]) -> list[str]:
    warnings = []
    if note.get("was_incomplete"):
        warnings.append(
            "the study may be incomplete: an association broke off while it was received"
        )
    return warnings
