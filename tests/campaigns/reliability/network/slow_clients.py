"""Hundreds of connections that send a byte now and then, and come again, a hundred a second, when they are cut off."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["SlowClients", "slow_clients"]

#: Heads that are never whole, and one whose body never comes.
_BEGINNINGS = (
    b"POST /v1/classify HTTP/1.1\r\nHost: %s\r\nX-Slow: ",
    b"GET /livez HTTP/1.1\r\nHost: %s\r\nCookie: a",
    b"",
    b"POST /v1/classify HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000\r\n\r\n",
)
_PAUSE_S = 0.2


@dataclass(slots=True)
class SlowClients:
    """What became of their connections.

    Attributes:
        opened: Connections so far.
        ended: Those that the service refused or ended.
        began: When each that is open now was opened.
    """

    opened: int = 0
    ended: int = 0
    began: dict[socket.socket, float] = field(default_factory=dict)

    def older_than(self, moment: float) -> int:
        """Return how many connections that are open now were opened before this moment of ``time.monotonic``."""
        return sum(since < moment for since in list(self.began.values()))


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[SlowClients]:
    """Keep so many connections busy until the block ends."""
    seen, is_over, is_there = SlowClients(), threading.Event(), threading.Event()
    thread = threading.Thread(target=_trickle, args=(port, count, seen, is_over, is_there))
    thread.start()
    is_there.wait(10)
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def _trickle(
    port: int, count: int, seen: SlowClients, is_over: threading.Event, is_there: threading.Event
) -> None:
    host = f"127.0.0.1:{port}".encode()
    with selectors.DefaultSelector() as selector:
        while not is_over.wait(_PAUSE_S if is_there.is_set() else 0):
            # Not all at once, lest the listening queue itself be full; and who was cut off comes again slowly.
            for _ in range(min(20 if is_there.is_set() else 60, count - len(seen.began))):
                beginning = _BEGINNINGS[seen.opened % len(_BEGINNINGS)]
                with suppress(OSError):
                    one = socket.create_connection(("127.0.0.1", port), timeout=0.2)
                    one.setblocking(False)
                    one.send(beginning % host if beginning else b"")
                    selector.register(one, selectors.EVENT_READ)
                    seen.began[one] = time.monotonic()
                    seen.opened += 1
            if len(seen.began) >= count or seen.ended:
                is_there.set()
            for key, _ in selector.select(0):
                _look(key.fileobj, selector, seen)  # type: ignore[arg-type]
            for one in list(seen.began):
                with suppress(OSError):
                    one.send(b"x")
    for one in seen.began:
        one.close()


def _look(one: socket.socket, selector: selectors.BaseSelector, seen: SlowClients) -> None:
    """Give up a connection on which the service has said something, 408 most likely, or which it has ended."""
    with suppress(OSError):
        one.recv(4096)
    selector.unregister(one)
    one.close()
    del seen.began[one]
    seen.ended += 1
