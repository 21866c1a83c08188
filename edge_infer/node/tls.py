"""TLS as PS3.15 B.12 asks for it (BCP 195): version 1.2 or newer, both sides with a certificate."""

import ssl

from edge_infer.errors import UnreadableInput
from edge_infer.node.config import Tls

__all__ = ["client_context", "server_context"]


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return what a receiver needs; callers without a certificate signed by ``ca`` are refused.

    Raises:
        UnreadableInput: A certificate or the key cannot be used.
    """
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls)


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return what a sender needs; the destination's certificate must be signed by ``ca``.

    Names in it are not compared: in hospitals addresses are numbers more often than names, and ``ca`` is the
    hospital's own.

    Raises:
        UnreadableInput: A certificate or the key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _loaded(context, tls)


def _loaded(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        # An empty password: otherwise OpenSSL would ask for it at the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password="")
        context.load_verify_locations(tls.ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no PEM"
        raise UnreadableInput(
            f"[tls]: certificate, key or ca cannot be used ({reason})",
            hint="each is a PEM file that the node's user may read; the key has no password",
        ) from None
    return context
