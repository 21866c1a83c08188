"""A public key of a PEM file: ECDSA on P-256, and no other kind."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_infer.errors import BundleUntrusted, MissingDependency
from edge_infer.names import shown_name
from edge_infer.signature.small_files import read_small_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = ["PUBLIC_KEY_HINT", "TrustedKey", "key_id_of", "read_public_key"]

#: How to come by a file that is taken.
PUBLIC_KEY_HINT = "make one with openssl pkey -in KEY -pubout (docs/security.md)"

_CURVE = "secp256r1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key, ECDSA on P-256.

    Attributes:
        id: SHA-256 of its PEM form, in hexadecimal, as model-signing counts it: what ``sha256sum`` says of the file
            that openssl writes.
        file: Name of the file that it was read from, without the folder.
        key: It.
    """

    id: str
    file: str
    key: "EllipticCurvePublicKey" = field(repr=False)


def read_public_key(path: Path) -> TrustedKey:
    """Read a file that holds one public key and nothing else.

    Raises:
        BundleUntrusted: It cannot be read, or holds something else.
        MissingDependency: ``cryptography`` is not installed.
    """
    data = read_small_file(path, PUBLIC_KEY_HINT)
    shown = shown_name(path)
    if b"PRIVATE KEY-----" in data:
        raise BundleUntrusted(
            f"{shown}: holds a private key, expected a public one",
            hint=f"remove it from this machine, and {PUBLIC_KEY_HINT}",
        )
    key = _parsed(data, shown)
    if key is None:
        raise BundleUntrusted(
            f"{shown}: is not one public key, PEM, of the elliptic curve P-256",
            hint=PUBLIC_KEY_HINT,
        )
    return TrustedKey(id=key_id_of(key), file=path.name, key=key)


def key_id_of(key: "EllipticCurvePublicKey") -> str:
    """Return the id of a public key: see ``TrustedKey``."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _parsed(data: bytes, shown: str) -> "EllipticCurvePublicKey | None":
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{error.name} is not installed, so nothing can be compared with {shown}",
            hint="pip install 'brain-edge[trust]'",
        ) from None
    if data.count(b"-----BEGIN ") != 1:  # of several, the library takes the first without a word
        return None
    try:
        key: Any = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    is_right = isinstance(key, EllipticCurvePublicKey) and key.curve.name == _CURVE
    return key if is_right else None
