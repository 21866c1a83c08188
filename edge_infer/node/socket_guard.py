"""Bounds on what one connection may send, below pynetdicom, which reads as many bytes as a message announces."""

import socket
from typing import Any

__all__ = ["SocketGuard", "TlsAcceptor", "send_at_once"]

#: A PDU may be this long; an association request with many contexts needs some 100 KiB, data 64 KiB.
_MAX_PDU_BYTES = 2**20

#: Seconds for a TLS handshake, during which no other caller is served.
_HANDSHAKE_S = 5.0


def send_at_once(association: Any) -> None:
    """Have an association send each message at once.

    pynetdicom writes command and data apart: Nagle's algorithm would hold back the second until the other side
    acknowledges the first, which it delays by 40 ms.
    """
    opened = association.dul.socket.socket
    if opened is not None:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class SocketGuard:
    """Breaks a connection whose PDU or object is too long.

    Args:
        wrapped: pynetdicom's ``AssociationSocket``; its ``recv`` is replaced.
        max_object_bytes: Of one object; ``done`` says that one is complete.
    """

    def __init__(self, wrapped: Any, max_object_bytes: int) -> None:
        self._recv, self._max, self._read = wrapped.recv, max_object_bytes, 0
        wrapped.recv = self._bounded

    def done(self) -> None:
        """An object is complete: count anew."""
        self._read = 0

    def _bounded(self, nr_bytes: int) -> Any:
        self._read += nr_bytes
        if nr_bytes > _MAX_PDU_BYTES or self._read > self._max + _MAX_PDU_BYTES:
            raise OSError("too long")  # pynetdicom takes it for a connection that was closed
        return self._recv(nr_bytes)


class TlsAcceptor:
    """Stands in for an ``SSLContext`` of a server: a caller that does not speak cannot hold it up for ever."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def wrap_socket(self, client: socket.socket, *, server_side: bool) -> Any:
        """Return the client's socket with TLS.

        Raises:
            OSError: The handshake failed or took too long; the server goes on with the next caller.
        """
        former = client.gettimeout()
        try:
            client.settimeout(_HANDSHAKE_S)
            wrapped = self._context.wrap_socket(client, server_side=server_side)
            wrapped.settimeout(former)
        except OSError:
            client.close()
            raise
        return wrapped
