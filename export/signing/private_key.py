"""The private key that signs: from a file that nobody else can read, with a passphrase that is never an argument."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_infer.errors import MissingDependency, UnreadableInput
from edge_infer.image_file import read_file
from edge_infer.names import shown_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["read_passphrase", "read_private_key"]

_MAX_BYTES = 2**20
_CURVE = "secp256r1"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HINT = (
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one (docs/security.md)"
)


def read_passphrase(path: Path) -> bytes:
    """Return the first line of a file that only its user may read, without its line end.

    Raises:
        UnreadableInput: It cannot be read, is empty, or others may read it.
    """
    passphrase = _read_private(path).partition(b"\n")[0].removesuffix(b"\r")
    if not passphrase:
        raise UnreadableInput(f"{shown_name(path)}: its first line is empty, expected a passphrase")
    return passphrase


def read_private_key(path: Path, ask: Callable[[], bytes]) -> "EllipticCurvePrivateKey":
    """Return a private key on P-256.

    Args:
        path: A PEM file that only its user may read.
        ask: Returns the passphrase; called only if the key is encrypted.

    Raises:
        MissingDependency: ``cryptography`` is not installed.
        UnreadableInput: The file cannot be read, others may read it, the passphrase is wrong, or it holds another key.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{error.name} is not installed, so nothing can be signed",
            hint="pip install 'brain-edge[trust]'",
        ) from None
    shown, data = shown_name(path), _read_private(path)
    is_encrypted = b"ENCRYPTED" in data
    try:
        key: Any = load_pem_private_key(data, ask() if is_encrypted else None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # their texts may tell of the key
        reason = "the passphrase is wrong, or it is damaged" if is_encrypted else "it is no PEM"
        raise UnreadableInput(
            f"{shown}: private key cannot be read: {reason}", hint=_HINT
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != _CURVE:
        raise UnreadableInput(
            f"{shown}: is a private key of another kind, expected the elliptic curve P-256",
            hint=_HINT,
        )
    return key


def _read_private(path: Path) -> bytes:
    data = read_file(path, limit=_MAX_BYTES)
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        shown = shown_name(path)
        raise UnreadableInput(f"{shown}: others may read it", hint=f"chmod 600 {shown}")
    return data
