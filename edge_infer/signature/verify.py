"""A bundle is the one that somebody signed whom this site trusts: every byte that was read, before anything uses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import BundleUntrusted
from edge_infer.names import shown_name, shown_names
from edge_infer.plain_json import why
from edge_infer.signature.envelope import Envelope, read_envelope, signed_bytes
from edge_infer.signature.keys import TrustedKeys
from edge_infer.signature.public_key import TrustedKey
from edge_infer.signature.small_files import read_small_file
from edge_infer.signature.statement import read_statement

__all__ = ["SIGNATURE_ENDING", "SignedBy", "signature_path", "verify_signature"]

#: A signature lies beside the bundle's folder, since a bundle with a file too many is refused.
SIGNATURE_ENDING = ".sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """Who signed a bundle.

    Attributes:
        key_id: SHA-256 of the public key in PEM, in hexadecimal.
        key_file: Name of the file with the public key on this machine, without its folder.
    """

    key_id: str
    key_file: str


def signature_path(folder: Path) -> Path:
    """Return where the signature of a bundle lies: ``bundles/NAME.sig`` beside ``bundles/NAME``; links are followed."""
    real = folder.resolve()
    return real.with_name(f"{real.name}{SIGNATURE_ENDING}")


def verify_signature(folder: Path, digests: Mapping[str, str], trusted: TrustedKeys) -> SignedBy:
    """Verify that a trusted key signed exactly these files.

    Args:
        folder: Of the bundle.
        digests: SHA-256 by name of the bytes that were read: these are used afterwards, and nothing is read again.
        trusted: The keys.

    Returns:
        Who signed it.

    Raises:
        BundleUntrusted: There is no signature, it is of another form, made with another key or of another bundle, or a
            file is missing, too many or changed.
    """
    path = signature_path(folder)
    shown = shown_name(path)
    envelope = _read(path, shown_name(folder))
    key = trusted.keys.get(envelope.key_id)
    if key is None:
        raise BundleUntrusted(
            f"{shown}: signed with key {shown_name(envelope.key_id[:12])}, which is not trusted here; "
            f"trusted: {trusted.names}",
            hint="have the bundle signed with a trusted key, or add the public key after you have checked whose it is",
        )
    _verify(envelope, key, shown)
    try:
        signed = read_statement(envelope.payload)
    except (ValueError, RecursionError) as error:
        raise BundleUntrusted(
            f"{shown}: is signed, but says nothing of a bundle ({why(error)})"
        ) from error
    _compare(signed, digests, shown)
    return SignedBy(key_id=key.id, key_file=key.file)


def _read(path: Path, bundle: str) -> Envelope:
    shown = shown_name(path)
    if not path.exists():
        raise BundleUntrusted(
            f"{bundle}: bundle is not signed, {shown} is missing",
            hint="copy the signature with the bundle, or sign it: brain-export --bundle DIR --sign KEY",
        )
    data = read_small_file(path, "copy it again, or sign the bundle again")
    try:
        return read_envelope(data)
    except (ValueError, RecursionError) as error:
        raise BundleUntrusted(
            f"{shown}: is no signature of OpenSSF Model Signing by a key ({why(error)})",
            hint="copy it again, or sign the bundle again",
        ) from error


def _verify(envelope: Envelope, key: TrustedKey, shown: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.key.verify(envelope.signature, signed_bytes(envelope.payload), ECDSA(SHA256()))
    except InvalidSignature as error:
        raise BundleUntrusted(
            f"{shown}: was not made with the key that it names ({shown_name(key.file)})",
            hint="copy it again, or sign the bundle again",
        ) from error


def _compare(signed: Mapping[str, str], digests: Mapping[str, str], shown: str) -> None:
    for names, words in (
        (sorted(set(signed) - set(digests)), "signed, but not in the bundle"),
        (sorted(set(digests) - set(signed)), "in the bundle, but not signed"),
        (
            sorted(name for name, digest in digests.items() if signed.get(name) != digest),
            "not the file that was signed",
        ),
    ):
        if names:
            raise BundleUntrusted(
                f"{shown}: {shown_names(names)}: {words}",
                hint="copy bundle and signature again, or sign the bundle again after you have checked it",
            )
