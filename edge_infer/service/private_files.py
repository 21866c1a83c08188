"""Files that only the service's user may read: the token, and the key of TLS."""

import os
import ssl
import stat
from pathlib import Path

from edge_infer.errors import UnreadableInput
from edge_infer.image_file import read_file
from edge_infer.names import shown_name

__all__ = ["read_token", "tls_context"]

_SHORTEST, _LONGEST = 16, 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_token(path: Path) -> str:
    """Return the token of a file: printable ASCII without spaces, at least 16 characters.

    Raises:
        UnreadableInput: It cannot be read, others may read it, or it is no such token.
    """
    shown = shown_name(path)
    token = read_file(path, limit=_LONGEST).decode("ascii", "replace").strip()
    _require_private(path, shown)
    if len(token) < _SHORTEST or not all("!" <= sign <= "~" for sign in token):
        raise UnreadableInput(
            f"{shown}: is no token, expected at least {_SHORTEST} printable characters without spaces",
            hint="openssl rand -hex 32 makes one",
        )
    return token


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what the server needs for TLS 1.2 or newer.

    Raises:
        UnreadableInput: Certificate or key cannot be used, or others may read the key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password: otherwise OpenSSL would ask for it at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no PEM"
        raise UnreadableInput(
            f"{shown_name(certificate)} and {shown_name(key)}: cannot be used for TLS ({reason})",
            hint="each is a PEM file that this user may read; the key has no password",
        ) from None
    _require_private(key, shown_name(key))
    return context


def _require_private(path: Path, shown: str) -> None:
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        raise UnreadableInput(f"{shown}: others may read it", hint=f"chmod 600 {shown}")
