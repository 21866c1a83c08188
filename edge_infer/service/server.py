"""uvicorn's server, with an end in which no request that was accepted is lost."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from uvicorn import Config, Server

from edge_infer.service.connection import Connection
from edge_infer.service.listening import BACKLOG
from edge_infer.service.state import State

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["BoundedServer"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TICKS_A_LOOK = 10  # of a tenth of a second each
_TICK_S = 0.05
#: Connections accepted at once. asyncio accepts as many as its ``backlog`` before any other is ended, and where that
#: takes the last open file, it accepts nobody for a second.
_ACCEPTED_AT_ONCE = 2


class BoundedServer(Server):
    """Serves at sockets that listen already, until a signal or ``should_exit``.

    Args:
        app: Of ASGI.
        state: Of the service.
        tls: Of the sockets.
        on_ready: Called once, when requests are taken.
    """

    def __init__(
        self,
        app: "ASGIApp",
        state: State,
        *,
        tls: ssl.SSLContext | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        config = Config(
            app,
            http=Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=max(1, round(state.limits.idle_s)),
        )
        super().__init__(config)
        self._state, self._tls, self._on_ready = state, tls, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_ignore)
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=one,
                backlog=_ACCEPTED_AT_ONCE,
                ssl=self._tls,
                ssl_handshake_timeout=self._state.limits.head_s if self._tls else None,
            )
            for one in sockets or []
        ]
        for one in sockets or []:
            one.listen(BACKLOG)  # again: asyncio has told the system its own
        self.started = True
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections, and say whether to stop."""
        if counter % _TICKS_A_LOOK == 0:
            self._look_after()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was accepted, within ``stop_s``."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._state.limits.stop_s
        self._state.stop()
        await self._accept_the_last(sockets or [])
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self._is_busy and loop.time() < ends:
            self._look_after()
            await asyncio.sleep(_TICK_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        last = loop.time() + 1.0
        while self._is_busy and loop.time() < last:
            await asyncio.sleep(_TICK_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first signal; uvicorn's own way would end the process by that signal afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order; at the second signal at once."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    @property
    def _is_busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self._state)

    def _look_after(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in list(self.server_state.connections):
            if isinstance(one, Connection):
                one.look_after(now)

    async def _accept_the_last(self, sockets: list[socket.socket]) -> None:
        """Stop listening, but take what the system has accepted for us: a closed socket would reset it."""
        accepted: list[socket.socket] = []
        for one in sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    accepted.append(one.accept()[0])
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            connection.setblocking(False)
            with contextlib.suppress(OSError, ssl.SSLError):
                await loop.connect_accepted_socket(self._connection, connection, ssl=self._tls)


def _ignore(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing: the context's texts may hold what a client sent."""
