"""The reference, OpenSSF's model-signing, takes our signatures and we take its; both refuse its test vectors' cases.

The vectors of github.com/sigstore/model-transparency are of models of other files, so their cases are made here from a
bundle: valid, a file changed, one too many, one missing, another key, no signature, another payload type, two subjects.
"""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from signed_bundle import fields_of, payload_of, resigned, write_private, write_public

from edge_infer.bundle import load_bundle
from edge_infer.errors import BundleError, BundleUntrusted
from edge_infer.signature.keys import trusted_keys
from edge_infer.signature.verify import signature_path

pytest.importorskip("OpenSSL", reason="model-signing needs pyopenssl")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("model_signing", reason="no model-signing")
    from model_signing import signing, verifying


def reference_takes(folder: Path, public: Path) -> bool:
    verifier = verifying.Config().use_elliptic_key_verifier(public_key=public)
    try:
        verifier.verify(folder, signature_path(folder))
    except Exception:  # of many classes, some of them those of its libraries
        return False
    return True


def we_take(folder: Path, public: Path) -> bool:
    try:
        return load_bundle(folder, trusted=trusted_keys(public)).signed_by is not None
    except BundleError:
        return False


def test_the_reference_takes_our_signature(signed: Path, keys: Path) -> None:
    assert reference_takes(signed, keys / "site.pem")


def test_we_take_the_signature_of_the_reference(
    signed: Path, keys: Path, site_key: Any, tmp_path: Path
) -> None:
    signature_path(signed).unlink()
    (signed / ".gitattributes").write_text("*.onnx binary\n")  # it ignores this one, and so do we
    private = write_private(site_key, tmp_path / "key.pem")
    signing.Config().use_elliptic_key_signer(private_key=private).sign(
        signed, signature_path(signed)
    )
    assert we_take(signed, keys / "site.pem")
    (signed / "README.md").write_text("# Another\n")
    with pytest.raises(BundleUntrusted, match=r"README\.md: not the file that was signed"):
        load_bundle(signed, trusted=trusted_keys(keys))


def _nothing(_folder: Path, _key: Any) -> None:
    pass


def _file_changed(folder: Path, _key: Any) -> None:
    (folder / "config.json").write_bytes((folder / "config.json").read_bytes() + b"\n")


def _file_too_many(folder: Path, _key: Any) -> None:
    (folder / "more.bin").write_bytes(b"more")


def _file_missing(folder: Path, _key: Any) -> None:
    (folder / "README.md").unlink()


def _stripped(folder: Path, _key: Any) -> None:
    fields = fields_of(folder)
    fields["dsseEnvelope"]["signatures"] = []
    signature_path(folder).write_text(json.dumps(fields))


def _other_payload_type(folder: Path, _key: Any) -> None:
    fields = fields_of(folder)
    fields["dsseEnvelope"]["payloadType"] = "application/vnd.other+json"
    signature_path(folder).write_text(json.dumps(fields))


def _two_subjects(folder: Path, key: Any) -> None:
    statement = payload_of(fields_of(folder))
    statement["subject"] *= 2
    signature_path(folder).write_text(json.dumps(resigned(statement, key)))


def _other_predicate(folder: Path, key: Any) -> None:
    statement = {**payload_of(fields_of(folder)), "predicateType": "https://example.org/v1"}
    signature_path(folder).write_text(json.dumps(resigned(statement, key)))


@pytest.mark.parametrize(
    ("attack", "is_taken"),
    [
        (_nothing, True),
        (_file_changed, False),
        (_file_too_many, False),
        (_file_missing, False),
        (_stripped, False),
        (_other_payload_type, False),
        (_two_subjects, False),
        (_other_predicate, False),
    ],
)
def test_both_judge_alike(
    attack: Callable[[Path, Any], None], is_taken: bool, signed: Path, keys: Path, site_key: Any
) -> None:
    attack(signed, site_key)
    public = keys / "site.pem"
    assert (reference_takes(signed, public), we_take(signed, public)) == (is_taken, is_taken)


def test_both_refuse_another_key(signed: Path, other_key: Any, tmp_path: Path) -> None:
    public = write_public(other_key, tmp_path / "other.pem")
    assert (reference_takes(signed, public), we_take(signed, public)) == (False, False)


def test_where_we_are_stricter_than_the_reference(
    signed: Path, keys: Path, site_key: Any, tmp_path: Path
) -> None:
    """A path that is to be ignored: the reference takes whatever lies there."""
    private = write_private(site_key, tmp_path / "key.pem")
    from model_signing import hashing

    config = hashing.Config().set_ignored_paths(paths=["README.md"], ignore_git_paths=True)
    signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(config).sign(
        signed, signature_path(signed)
    )
    shutil.copy(signed / "config.json", signed / "README.md")
    public = keys / "site.pem"
    assert (reference_takes(signed, public), we_take(signed, public)) == (True, False)
