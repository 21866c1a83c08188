"""A service on a thread of the test, with time limits too short for an option of the command."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from service_runs import Connection

from edge_infer.classifier import Classifier
from edge_infer.service.access import Access
from edge_infer.service.guard import Guard
from edge_infer.service.limits import Limits
from edge_infer.service.listening import Address, listening
from edge_infer.service.routes import make_routes
from edge_infer.service.server import BoundedServer
from edge_infer.service.state import State

__all__ = ["ThreadedService", "threaded_service"]


class ThreadedService:
    """Where it listens, and what it counts."""

    def __init__(self, port: int, state: State) -> None:
        self.port, self.state = port, state
        self.host = f"127.0.0.1:{port}"

    def connect(self, *, receive_buffer: int | None = None) -> Connection:
        opened = socket.socket()
        if receive_buffer is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        opened.settimeout(10)
        opened.connect(("127.0.0.1", self.port))
        return Connection(opened)


@contextlib.contextmanager
def threaded_service(bundle: Path, limits: Limits) -> Iterator[ThreadedService]:
    """Yield a service that is ready; it stops in order."""
    state = State(Classifier.load(bundle, num_threads=1), limits)
    with listening(Address(port=0)) as bound:
        port = bound.getsockname()[1]
        bound.setblocking(False)
        access = Access(hosts={f"127.0.0.1:{port}"})
        app = Guard(make_routes(state, with_page=True), state, access, logs_requests=False)
        ready = threading.Event()
        server = BoundedServer(app, state, on_ready=ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        assert ready.wait(20)
        try:
            yield ThreadedService(port, state)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
            state.runs.close(within_s=5)
