"""Sign a bundle: what was verified is what is signed, and then it is loaded with its signature."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_infer.atomic import write_bytes_atomically
from edge_infer.bundle import Bundle, load_bundle
from edge_infer.errors import BrainError, CannotWrite
from edge_infer.image_file import read_file
from edge_infer.manifest import canonical_json
from edge_infer.names import shown_name
from edge_infer.signature.envelope import Envelope, read_envelope, render_envelope, signed_bytes
from edge_infer.signature.keys import TrustedKeys
from edge_infer.signature.public_key import TrustedKey, key_id_of
from edge_infer.signature.statement import render_statement
from edge_infer.signature.verify import signature_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["Signed", "refuse_other_file", "sign_bundle"]

_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature that was written.

    Attributes:
        path: The file.
        key_id: Of the key: SHA-256 of its public half in PEM.
    """

    path: Path
    key_id: str


def sign_bundle(bundle: Bundle, key: "EllipticCurvePrivateKey") -> Signed:
    """Write the signature of a bundle beside its folder.

    Args:
        bundle: As loaded: the bytes that were verified are signed, whatever lies in the folder by now.
        key: ECDSA on P-256.

    Raises:
        BundleUntrusted: The bundle has changed since it was loaded; its new signature does not fit it.
        CannotWrite: The file cannot be written, or another file is in its place.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    path = signature_path(bundle.path)
    refuse_other_file(bundle.path)
    payload = render_statement(path.stem, _digests(bundle))
    public = TrustedKey(
        id=key_id_of(key.public_key()), file="the key that signs", key=key.public_key()
    )
    envelope = Envelope(
        payload=payload,
        signature=key.sign(signed_bytes(payload), ECDSA(SHA256())),
        key_id=public.id,
    )
    write_bytes_atomically(path, render_envelope(envelope))
    trusted = TrustedKeys(sources=(), keys={public.id: public}, revoked=frozenset())
    load_bundle(bundle.path, trusted=trusted)
    return Signed(path=path, key_id=public.id)


def refuse_other_file(folder: Path) -> None:
    """Refuse to replace a file that is no signature of a bundle.

    Args:
        folder: Of the bundle; it need not exist.

    Raises:
        CannotWrite: Another file has the name of its signature.
    """
    path = signature_path(folder)
    if not path.exists():
        return
    try:
        read_envelope(read_file(path, limit=_MAX_BYTES))
    except (BrainError, ValueError, RecursionError) as error:
        raise CannotWrite(
            f"{shown_name(path)}: is there already and is no signature of a bundle",
            hint="move it away, or give the bundle's folder another name",
        ) from error


def _digests(bundle: Bundle) -> dict[str, str]:
    """Return SHA-256 by name of all files as they were verified; a manifest has only one form."""
    digests = {name: str(file["sha256"]) for name, file in bundle.manifest["files"].items()}
    manifest = hashlib.sha256(canonical_json(bundle.manifest)).hexdigest()
    return {**digests, "manifest.json": manifest}
