"""Keys and signatures for tests: as they should be, and as an attacker would make them."""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from edge_infer.bundle import load_bundle
from edge_infer.signature.envelope import signed_bytes
from edge_infer.signature.public_key import key_id_of
from edge_infer.signature.verify import signature_path
from export.signing.sign import sign_bundle

__all__ = [
    "fields_of",
    "new_key",
    "payload_of",
    "resigned",
    "sign",
    "signed_file",
    "write_private",
    "write_public",
]


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def write_public(key: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def write_private(key: Any, path: Path, passphrase: bytes | None = None) -> Path:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return path


def sign(folder: Path, key: EllipticCurvePrivateKey) -> Path:
    """Sign a bundle; return the file."""
    return sign_bundle(load_bundle(folder), key).path


def fields_of(folder: Path) -> dict[str, Any]:
    """The JSON of a bundle's signature."""
    return json.loads(signature_path(folder).read_bytes())


def payload_of(fields: dict[str, Any]) -> dict[str, Any]:
    """The statement in it."""
    return json.loads(base64.b64decode(fields["dsseEnvelope"]["payload"]))


def resigned(
    statement: object, key: EllipticCurvePrivateKey, algorithm: HashAlgorithm | None = None
) -> dict[str, Any]:
    """The JSON of a signature over any statement."""
    payload = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
    signature = key.sign(signed_bytes(payload), ECDSA(algorithm or SHA256()))
    return signed_file(payload, signature, key_id_of(key.public_key()))


def signed_file(payload: bytes, signature: bytes, key_id: str) -> dict[str, Any]:
    """The JSON of a signature, of any parts."""
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": key_id}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
