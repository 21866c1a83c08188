"""The node as a receiver: C-ECHO and C-STORE (PS3.4 Annexes A and B), each image on the disk before Success is said."""

import errno
import logging
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from edge_infer.errors import CannotWrite, OutputLocked
from edge_infer.names import shown_name
from edge_infer.node.admission import Admission
from edge_infer.node.arrivals import Arrivals, Arrived
from edge_infer.node.config import ANY_CALLER, NodeConfig
from edge_infer.node.contexts import KEPT_CLASSES, TRANSFER_SYNTAXES, VERIFICATION
from edge_infer.node.links import Link
from edge_infer.node.received import NotUnderstood, read_received
from edge_infer.node.socket_guard import SocketGuard, TlsAcceptor, send_at_once
from edge_infer.node.spool import Spool
from edge_infer.node.tls import server_context

__all__ = ["Receiver"]

_LOG = logging.getLogger(__name__)

#: PS3.4 table B.2-1, PS3.7 Annex C.
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000

#: PS3.8 table 9-21: rejected for now, by the presentation layer, which has reached its limit.
_TOO_MANY = (0x02, 0x03, 0x02)

_MAX_PDU_BYTES = 65536
_MAX_CONNECTIONS = 200
_REQUEST_TIMEOUT_S = 10.0


class Receiver:
    """Listens as long as it is open.

    Raises:
        OutputLocked: Another program listens at the port.
        CannotWrite: The address is not one of this machine, or the port may not be used.
    """

    def __init__(
        self, config: NodeConfig, spool: Spool, arrivals: Arrivals, admission: Admission
    ) -> None:
        self._config, self._arrivals, self._admission = config, arrivals, admission
        self._lock = threading.Lock()
        self._links: dict[Any, Link] = {}
        self._guards: dict[Any, SocketGuard] = {}
        self.counts = {
            "stored": 0,
            "duplicates": 0,
            "refused": 0,
            "not_understood": 0,
            "discarded": 0,
        }
        self._former_folder = tempfile.tempdir
        self._receive_into(spool.partial)
        self._server = self._listen()

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self._server.server_address[1])

    @property
    def open_associations(self) -> int:
        """How many associations are open."""
        return len(self._links)

    def prune(self) -> None:
        """End associations whose thread is gone although nothing was said about their end."""
        with self._lock:
            gone = [one for one in self._links if _is_over(one)]
        for association in [one for one in list(self._guards) if one not in self._links]:
            # Of a caller that has asked for no association: a port check, say. pynetdicom would wait for it.
            if _is_over(association) or _is_over(association.dul):
                self._guards.pop(association, None)
                association.dul.to_user_queue.put(None)
        for association in gone:
            self._end(association, well=False)
            association.dul.socket.close()

    def close(self) -> None:
        """Stop listening, and break off what is still open: its mark on the disk stays for the next start."""
        self._server.shutdown()
        with self._lock:
            self._links.clear()
        for association in list(self._server.active_associations):
            association.abort()
        tempfile.tempdir = self._former_folder

    def _receive_into(self, folder: Path) -> None:
        """Have pynetdicom write objects to files as they come in, instead of holding them in memory."""
        from pynetdicom import _config

        _config.STORE_RECV_CHUNKED_DATASET = True
        _config.LOG_HANDLER_LEVEL = "none"
        tempfile.tempdir = os.fspath(
            folder
        )  # pynetdicom asks for a temporary file and says nothing of where

    def _listen(self) -> Any:
        from pynetdicom import AE, evt

        receive = self._config.receive
        entity: Any = AE(ae_title=receive.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = [one for one in receive.callers if one != ANY_CALLER]
        if ANY_CALLER in receive.callers:
            entity.require_calling_aet = []
        # Counted here, by what was accepted: pynetdicom counts connections that say nothing, too.
        entity.maximum_associations = _MAX_CONNECTIONS
        entity.acse_timeout = _REQUEST_TIMEOUT_S
        entity.maximum_pdu_size = _MAX_PDU_BYTES
        entity.network_timeout = receive.idle_s
        entity.add_supported_context(VERIFICATION)
        for uid in (*KEPT_CLASSES, *receive.discard):
            entity.add_supported_context(uid, list(TRANSFER_SYNTAXES))
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._on_open),
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_C_ECHO, lambda _event: _SUCCESS),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, lambda event: self._end(event.assoc, well=True)),
            (evt.EVT_ABORTED, lambda event: self._end(event.assoc, well=False)),
        ]
        tls = self._config.tls
        context: Any = TlsAcceptor(server_context(tls)) if tls and tls.receive else None
        address = (receive.host, receive.port)
        try:
            return entity.start_server(
                address, block=False, evt_handlers=handlers, ssl_context=context
            )
        except OSError as error:
            shown = f"{shown_name(receive.host)} port {receive.port}"
            if error.errno == errno.EADDRINUSE:
                raise OutputLocked(
                    f"{shown}: another program listens there",
                    hint="end it, or set another port in [receive]",
                ) from None
            raise CannotWrite(
                f"{shown}: cannot listen there ({error.strerror or 'unknown address'})",
                hint="host must be an address of this machine; ports below 1024 need a privilege",
            ) from None

    def _on_open(self, event: Any) -> None:
        association = event.assoc
        if len(self._server.active_associations) >= _MAX_CONNECTIONS:
            association.dul.socket.close()  # each holds two threads
            return
        send_at_once(association)
        limit = int(self._config.limits.max_object_mb * 2**20)
        self._guards[association] = SocketGuard(association.dul.socket, limit)

    def _on_requested(self, event: Any) -> None:
        if len(self._links) >= self._config.receive.max_associations:
            event.assoc.acse.send_reject(*_TOO_MANY)
            event.assoc.kill()  # waits until that is sent
            self._on_rejected(event)

    def _on_accepted(self, event: Any) -> None:
        with self._lock:
            self._links[event.assoc] = self._arrivals.begin()
        _LOG.info("association opened by %s", self._caller(event.assoc))

    def _on_rejected(self, event: Any) -> None:
        self._guards.pop(event.assoc, None)
        _LOG.warning("association rejected, asked for by %s", self._caller(event.assoc))

    def _end(self, association: Any, *, well: bool) -> None:
        self._guards.pop(association, None)
        with self._lock:
            link = self._links.pop(association, None)
        if link is None:
            return
        try:
            self._arrivals.end(link, well=well)
        except (OSError, CannotWrite) as error:
            # On the disk it stays open, which counts as broken off after the next start.
            _LOG.error("the end of an association cannot be written down: %s", type(error).__name__)
        how = "released" if well else "BROKE OFF"
        _LOG.log(
            logging.INFO if well else logging.WARNING,
            "association %s: it sent into %d studies%s",
            how,
            len(link.keys),
            "".join(f" {key}" for key in sorted(link.keys)),
        )

    def _on_store(self, event: Any) -> int:
        guard = self._guards.get(event.assoc)
        if guard is not None:
            guard.done()
        link = self._links.get(event.assoc)
        if link is not None:
            self._arrivals.hear(link)
        try:
            return self._store(event)
        except (OSError, CannotWrite):
            _LOG.error("an image was refused: the spool cannot be written")
            self.counts["refused"] += 1
            return _OUT_OF_RESOURCES
        except NotUnderstood as error:
            _LOG.warning("an object was refused: %s", error)
            self.counts["not_understood"] += 1
            return _CANNOT_UNDERSTAND
        except Exception as error:
            _LOG.error("an object was refused: %s", type(error).__name__)
            self.counts["not_understood"] += 1
            return _CANNOT_UNDERSTAND

    def _store(self, event: Any) -> int:
        sop_class = str(event.request.AffectedSOPClassUID)
        if sop_class not in KEPT_CLASSES:
            self.counts["discarded"] += 1
            return _SUCCESS
        received = read_received(
            event.dataset_path,
            sop_class_uid=sop_class,
            sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
        )
        link = self._links[event.assoc]
        refusal = self._admission.refusal(
            arriving=len(self._arrivals), is_known=received.key in self._arrivals
        )
        if refusal is not None:
            _LOG.warning("study %s: an image was refused: %s", received.key, refusal.value)
            self.counts["refused"] += 1
            self._arrivals.refused(link, received)
            return _OUT_OF_RESOURCES
        size = received.file.stat().st_size
        try:
            arrived = self._arrivals.store(link, received)
        except (OSError, CannotWrite):
            self._arrivals.refused(link, received)
            raise
        if arrived is Arrived.STORED:
            self._admission.add(size)
            self.counts["stored"] += 1
            return _SUCCESS
        if arrived is Arrived.TOO_MANY:
            _LOG.warning("study %s: an image was refused: too many files", received.key)
            self.counts["refused"] += 1
            self._arrivals.refused(link, received)
            return _OUT_OF_RESOURCES
        self.counts["duplicates"] += 1
        if arrived is Arrived.DIFFERS:
            _LOG.warning(
                "study %s: an image came again with other content; the first is kept", received.key
            )
        return _SUCCESS

    def _caller(self, association: Any) -> str:
        """Return who calls. A title that is not configured is not shown: it may be any text."""
        requestor = association.requestor
        title = str(requestor.ae_title or "").strip()
        known = title if title in self._config.receive.callers else "a title that is not listed"
        return f"{known} at {shown_name(requestor.address)}"


def _is_over(thread: threading.Thread) -> bool:
    """Whether it was started and has ended."""
    return thread.ident is not None and not thread.is_alive()
