"""The file beside a bundle that holds its signature: a sigstore bundle with a DSSE envelope, signed by a plain key.

Formats: application/vnd.dev.sigstore.bundle.v0.3+json (https://docs.sigstore.dev/about/bundle/) and DSSE 1.0
(https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md), as model-signing 1.1.1 writes them. Certificates,
logs, several signatures and fields that this does not know are refused, not ignored.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from edge_infer.plain_json import parse_object

__all__ = ["Envelope", "read_envelope", "render_envelope", "signed_bytes"]

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A signature, not verified.

    Attributes:
        payload: What was signed: a statement.
        signature: ECDSA, in DER.
        key_id: Of the key that it says it was made with.
    """

    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    key_id: str


def signed_bytes(payload: bytes) -> bytes:
    """Return what the signature is over: DSSE's pre-authentication encoding of the payload and its type."""
    return b"DSSEv1 %d %s %d %s" % (
        len(_PAYLOAD_TYPE),
        _PAYLOAD_TYPE.encode(),
        len(payload),
        payload,
    )


def render_envelope(envelope: Envelope) -> bytes:
    """Render the content of the file."""
    fields = {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": envelope.key_id}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(envelope.signature).decode(), "keyid": ""}],
        },
    }
    return (json.dumps(fields) + "\n").encode()


def read_envelope(data: bytes) -> Envelope:
    """Read the content of the file.

    Raises:
        ValueError: It is no such file.
    """
    fields = parse_object(data.decode())
    _keys(fields, {"mediaType", "verificationMaterial", "dsseEnvelope"}, "signature file")
    if fields["mediaType"] != _MEDIA_TYPE:
        raise ValueError(f"mediaType is another than {_MEDIA_TYPE}")
    envelope = fields["dsseEnvelope"]
    _keys(envelope, {"payload", "payloadType", "signatures"}, "envelope")
    if envelope["payloadType"] != _PAYLOAD_TYPE:
        raise ValueError(f"payloadType is another than {_PAYLOAD_TYPE}")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise ValueError("there is not exactly one signature")
    _keys(signatures[0], {"sig", "keyid"}, "signature")
    if signatures[0]["keyid"] != "":
        raise ValueError("keyid is not empty")
    return Envelope(
        payload=_decoded(envelope["payload"], "payload"),
        signature=_decoded(signatures[0]["sig"], "sig"),
        key_id=_key_id(fields["verificationMaterial"]),
    )


def _key_id(material: object) -> str:
    _keys(material, {"publicKey", "tlogEntries"}, "verificationMaterial")
    found: dict[str, Any] = material if isinstance(material, dict) else {}
    if found["tlogEntries"] != []:
        raise ValueError("tlogEntries is not empty")
    key = found["publicKey"]
    _keys(key, {"hint"}, "publicKey")
    if not isinstance(key["hint"], str):
        raise ValueError("hint is no text")
    return str(key["hint"])


def _decoded(value: object, what: str) -> bytes:
    """Decode base64 in its one canonical form: no blanks, no missing padding, no stray bits."""
    try:
        decoded = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what} is no base64") from error
    if not isinstance(value, str) or base64.b64encode(decoded).decode() != value:
        raise ValueError(f"{what} is no canonical base64")
    return decoded


def _keys(value: object, keys: set[str], what: str) -> None:
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"the {what} has other fields than {', '.join(sorted(keys))}")
