"""The node as a whole: its threads, started and stopped in order."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BrainError, InferenceFailed
from edge_infer.node.admission import Admission
from edge_infer.node.arrivals import Arrivals
from edge_infer.node.classifying import Classifying
from edge_infer.node.config import NodeConfig
from edge_infer.node.delivering import Delivering
from edge_infer.node.keeping import tidy
from edge_infer.node.log import reason_of
from edge_infer.node.notes import now, read_note
from edge_infer.node.receiver import Receiver
from edge_infer.node.spool import Spool
from edge_infer.node.status import STATUS_FILE, failures, stage_counts
from edge_infer.version import __version__

__all__ = ["ANSWERING", "NodeService"]

_LOG = logging.getLogger(__name__)

#: The module that loads a classifier and answers studies, as the worker process finds it.
ANSWERING = "edge_infer.node.answering"

_TICK_S, _STATUS_S, _TIDY_S = 0.25, 2.0, 60.0


class NodeService:
    """A node that runs from ``run`` until ``stop``.

    Args:
        config: Read by ``edge_infer.node.config``.
        answering: A module like it; for tests.
    """

    def __init__(self, config: NodeConfig, *, answering: str = ANSWERING) -> None:
        self._config, self._answering = config, answering
        self._stop = threading.Event()
        self.is_listening = threading.Event()
        self.port = 0

    def stop(self) -> None:
        """Have ``run`` return soon; may be called from a handler of signals."""
        self._stop.set()

    def run(self) -> None:
        """Serve until ``stop``.

        Raises:
            OutputLocked: Another node uses the spool, or another program the port.
            CannotWrite: The spool or the audit log cannot be written, or the address cannot be used.
            BrainError: The bundle cannot be used here.
        """
        with Spool.opened(self._config.receive.spool) as spool:
            delivering = Delivering(self._config, spool)
            classifying = Classifying(self._config, spool, self._answering, delivering.wake)
            classifying.start()
            try:
                self._serve(spool, classifying, delivering)
            finally:
                classifying.stop()

    def _serve(self, spool: Spool, classifying: Classifying, delivering: Delivering) -> None:
        arrivals = Arrivals(spool, self._config.complete, self._config.limits)
        admission = Admission(spool, self._config.limits)
        receiver = Receiver(self._config, spool, arrivals, admission)
        self.port = receiver.port
        delivering.start()
        _LOG.info(
            "brain-node %s listens at %s port %d as %s, model %s %s; %s",
            __version__,
            self._config.receive.host,
            receiver.port,
            self._config.receive.ae_title,
            classifying.model["name"],
            classifying.model["manifest_sha256"][:12],
            RESEARCH_USE_ONLY,
        )
        self.is_listening.set()
        board = _Board(self._config, spool, arrivals, admission, receiver, classifying, delivering)
        try:
            self._loop(board)
        finally:
            _LOG.info("stopping")
            receiver.close()
            delivering.stop()
            classifying.stop()
            board.write("stopped")
            _LOG.info("stopped")

    def _loop(self, board: "_Board") -> None:
        next_status = next_tidy = 0.0
        while not self._stop.wait(_TICK_S):
            for thread in (board.classifying, board.delivering):
                if not thread.is_alive:
                    raise InferenceFailed("a thread of the node has ended", hint="see its log")
            board.receiver.prune()
            self._tried("studies", board.move_complete)
            if time.monotonic() >= next_tidy:
                self._tried("tidying", board.tidy)
                self._tried("measuring", board.admission.measure)
                next_tidy = time.monotonic() + _TIDY_S
            if time.monotonic() >= next_status:
                self._tried("status", board.write_running)
                next_status = time.monotonic() + _STATUS_S

    def _tried(self, what: str, work: Callable[[], None]) -> None:
        """Do a part of the work; where the disk is full or harmed, the other parts are done all the same."""
        try:
            work()
        except (OSError, BrainError) as error:
            _LOG.error("%s: the spool cannot be used: %s", what, reason_of(error))
            self._stop.wait(_TICK_S * 8)


class _Board:
    """What the main thread looks after."""

    def __init__(
        self,
        config: NodeConfig,
        spool: Spool,
        arrivals: Arrivals,
        admission: Admission,
        receiver: Receiver,
        classifying: Classifying,
        delivering: Delivering,
    ) -> None:
        self._config, self.spool, self._arrivals = config, spool, arrivals
        self.admission, self.receiver = admission, receiver
        self.classifying, self.delivering = classifying, delivering
        self._started = now()

    def move_complete(self) -> None:
        """Move on what is complete."""
        for one in self._arrivals.complete():
            self.admission.recount()
            note = read_note(one.folder)
            if one.stage == "failed":
                _LOG.error("study %s FAILED, incomplete: %s", one.key, note.get("message", ""))
                continue
            late = note.get("late_images")
            _LOG.info(
                "study %s complete: %d images%s",
                one.key,
                note.get("images", 0),
                f", {late} of them late: round {one.number}" if late else "",
            )
            self.classifying.wake()

    def tidy(self) -> None:
        """Remove what has been kept long enough."""
        tidy(self.spool, self._config.keep)

    def write_running(self) -> None:
        """Write that the node runs."""
        self.write("running")

    def write(self, state: str) -> None:
        """Write the status file."""
        receiver, destination = self.receiver, self._config.destination
        status: dict[str, Any] = {
            "notice": RESEARCH_USE_ONLY,
            "state": state,
            "written_at": now(),
            "started_at": self._started,
            "version": __version__,
            "pid": os.getpid(),
            "worker_pid": self.classifying.worker_pid,
            "model": self.classifying.model,
            "ae_title": self._config.receive.ae_title,
            "port": receiver.port,
            "open_associations": receiver.open_associations,
            "objects": receiver.counts,
            "studies": {"incoming": len(self._arrivals), **stage_counts(self.spool)},
            "failed_by_code": failures(self.spool),
            "classifying": self.classifying.busy_with,
            "destination": {
                "kind": "folder" if destination.folder else "dicom",
                "problem": self.delivering.problem,
                "retry_in_s": round(self.delivering.retry_in_s, 1),
                "delivered": self.delivering.sent,
            },
            "spool_bytes": self.admission.used_bytes(),
            "free_bytes": self.spool.free_bytes(),
        }
        data = (json.dumps(status, indent=1) + "\n").encode()
        write_bytes_atomically(self.spool.folder / STATUS_FILE, data)
