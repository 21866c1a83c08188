"""One connection, bounded where uvicorn is not: slow heads, idle clients, those that do not read, too many at once."""

import asyncio
import secrets
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from edge_infer.service.limits import DRAIN_BYTES, Limits
from edge_infer.service.refusal import Refused, busy, error_body, no_memory
from edge_infer.service.state import State

__all__ = ["Connection"]

#: How long a connection that was told to end may take to do so, or one whose request was refused may go on sending.
_LINGER_S = 5.0
#: While the service stops: how long an idle connection may still send a request, which is answered.
_LAST_WORD_S = 0.5


class Connection(H11Protocol):
    """A connection that ``look_after`` is called for about once a second.

    Args:
        config: Of uvicorn.
        server_state: Of uvicorn.
        state: Of the service.
    """

    def __init__(self, config: Config, server_state: ServerState, state: State) -> None:
        super().__init__(config, server_state, {})
        self._state: State = state
        self._limits: Limits = state.limits
        self.made_at: float = self.loop.time()
        self._head_since = self.made_at
        self._closing_since: float | None = None
        self._refused_since: float | None = None
        self._refused_bytes = 0
        self._stalled_since: float | None = None
        self._unsent = 0

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a request, or for the rest of a head."""
        return self.conn.their_state is h11.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or refuse it if there are too many and none of them is idle."""
        super().connection_made(transport)
        self._state.connections = len(self.connections)
        present = [
            one
            for one in self.connections
            if isinstance(one, Connection) and not one.transport.is_closing()
        ]
        if len(present) <= self._limits.connections:
            return
        idle = [one for one in present if one.is_waiting and one is not self]
        if idle:
            min(idle, key=lambda one: one.made_at).transport.abort()
            return
        self._say(busy("as many connections are open as may be"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._state.connections = len(self.connections)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a body that was refused are counted and dropped."""
        if self.is_waiting:
            if self.conn.trailing_data == (b"", False):
                self._head_since = self.loop.time()
        elif self._refused_since is not None:
            self._refused_bytes += len(data)
            if self._refused_bytes > DRAIN_BYTES:
                self.transport.abort()
                return
        try:
            super().data_received(data)
        except MemoryError:
            self._say(no_memory())
        except h11.LocalProtocolError:  # it went on after its connection was told to end
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        now = self.loop.time()
        self._head_since = now
        is_refused = self.conn.their_state is h11.SEND_BODY
        self._refused_since, self._refused_bytes = (now, 0) if is_refused else (None, 0)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's signature
        """Refuse what is no HTTP, in JSON as everything else."""
        self._say(Refused(400, "bad_request", "this is no valid HTTP request"))

    def shutdown(self) -> None:
        """Answer what is on its way; an idle connection has a moment for a last request, lest it be lost."""
        self.timeout_keep_alive = _LAST_WORD_S  # type: ignore[assignment]  # uvicorn passes it to call_later
        if self.is_waiting:
            self._unset_keepalive_if_required()
            self.loop.call_later(_LAST_WORD_S, self._end_if_waiting)

    def look_after(self, now: float) -> None:
        """End the connection if its client takes too long.

        Args:
            now: On the loop's clock.
        """
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _LINGER_S:
                self.transport.abort()
        elif self.is_waiting:
            has_begun = self.conn.trailing_data[0] != b"" or self.cycle is None
            if now - self._head_since > (self._limits.head_s if has_begun else self._limits.idle_s):
                self._say(Refused(408, "timed_out", "the request's head did not arrive in time"))
        elif self._refused_since is not None and self.cycle.response_complete:
            if now - self._refused_since > _LINGER_S:
                self.transport.abort()
        else:
            self._look_after_answer(now)

    def _look_after_answer(self, now: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._stalled_since = unsent, now
        elif now - (self._stalled_since or now) > self._limits.stall_s:
            self.transport.abort()

    def _end_if_waiting(self) -> None:
        if self.is_waiting and not self.transport.is_closing():
            self.timeout_keep_alive_handler()

    def _say(self, refused: Refused) -> None:
        """Answer outside of a request, and end the connection."""
        body = error_body(refused, secrets.token_hex(8))
        headers: list[Any] = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
            *refused.headers,
        ]
        try:
            for event in (
                h11.Response(status_code=refused.status, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer has begun: only its end can tell
            self.transport.abort()
            return
        self.transport.close()
