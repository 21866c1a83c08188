"""Which keys count: public ones on P-256, in all of the places that are asked for, and not revoked."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from signed_bundle import new_key, sign, write_private, write_public

from edge_infer.bundle import load_bundle
from edge_infer.classifier import Classifier
from edge_infer.errors import BundleUntrusted, MissingDependency
from edge_infer.signature.keys import trusted_keys
from edge_infer.signature.public_key import key_id_of
from edge_infer.signature.verify import signature_path


def refused(trust: Any, words: str) -> None:
    with pytest.raises(BundleUntrusted, match=words):
        trusted_keys(trust)


def test_a_key_is_called_by_the_checksum_of_its_file(tmp_path: Path, site_key: Any) -> None:
    """As openssl writes it: a person compares it with ``sha256sum``."""
    private, public = write_private(site_key, tmp_path / "key.pem"), tmp_path / "public.pem"
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    with public.open("wb") as file:
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], stdout=file, check=True)
    expected = subprocess.run(["sha256sum", public], capture_output=True, text=True, check=True)
    trusted = trusted_keys(public)
    assert trusted is not None
    assert list(trusted.keys) == [expected.stdout.split()[0]] == [key_id_of(site_key.public_key())]


def test_keys_are_files_and_folders_and_any_of_them_will_do(
    signed: Path, keys: Path, other_key: Any, tmp_path: Path
) -> None:
    other = write_public(other_key, tmp_path / "other.pem")
    (keys / "README").write_text("Keys of this site.\n")
    assert load_bundle(signed, trusted=trusted_keys([other, keys])).signed_by is not None
    assert load_bundle(signed, trusted=trusted_keys(str(keys / "site.pem"))).signed_by is not None
    sign(signed, other_key)  # another one signs it: keys are rotated
    by = load_bundle(signed, trusted=trusted_keys([keys, other])).signed_by
    assert by is not None
    assert by.key_file == "other.pem"


def _rsa() -> Any:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate,
        _rsa,
    ],
)
def test_a_key_of_another_kind_is_refused_wherever_it_lies(
    make: Callable[[], Any], keys: Path
) -> None:
    write_public(make(), keys / "another.pem")
    refused(keys, r"another\.pem: is not one public key, PEM, of the elliptic curve P-256")


def test_what_is_no_key_is_refused(keys: Path, site_key: Any, tmp_path: Path) -> None:
    key = keys / "site.pem"
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, r"holds no public key \(\*\.pem\)")
    refused(tmp_path / "missing.pem", "cannot be read")
    refused([], "empty name")
    refused([""], "empty name")
    whole = key.read_bytes()
    for data in (b"", whole[:-40], whole + whole, b"\0" * 100, whole.replace(b"MFk", b"MFl")):
        key.write_bytes(data)
        refused(keys, "is not one public key")
    write_private(site_key, keys / "site.pem")
    refused(keys, "holds a private key, expected a public one")


def test_a_revoked_bundle_is_refused(signed: Path, keys: Path) -> None:
    """The answer to a roll-back: an older bundle that was signed once."""
    digest = load_bundle(signed).manifest["manifest_sha256"]
    revoked = keys / "revoked.txt"
    revoked.write_text(
        f"# too many false alarms\n\n{'0' * 64}\n{digest.upper()}  version 1, replaced in May\n"
    )
    with pytest.raises(
        BundleUntrusted, match=r"bundle is revoked: revoked\.txt lists its manifest"
    ):
        load_bundle(signed, trusted=trusted_keys(keys))
    revoked.write_text(f"{'0' * 64}\n")
    assert load_bundle(signed, trusted=trusted_keys(keys)).signed_by is not None


def test_a_revoked_key_does_not_count(
    signed: Path, keys: Path, site_key: Any, other_key: Any
) -> None:
    (keys / "revoked.txt").write_text(key_id_of(site_key.public_key()))
    refused(keys, "hold none that is not revoked")
    write_public(other_key, keys / "new.pem")
    with pytest.raises(BundleUntrusted, match=r"which is not trusted here; trusted: new\.pem"):
        load_bundle(signed, trusted=trusted_keys(keys))


@pytest.mark.parametrize("content", [b"abc", b"\xff\n", b"0" * 63, b"0" * 65])
def test_a_list_that_cannot_be_read_revokes_everything(content: bytes, keys: Path) -> None:
    (keys / "revoked.txt").write_bytes(content)
    refused(keys, "does not begin with a SHA-256")


def test_a_policy_asks_for_a_signature_that_nobody_asked_for(
    signed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAIN_EDGE_TRUST", str(keys))
    assert Classifier.load(signed, self_test="off").signed_by is not None
    signature_path(signed).unlink()
    with pytest.raises(BundleUntrusted, match="is not signed"):
        Classifier.load(signed)


def test_a_policy_is_not_loosened_by_what_is_given(
    signed: Path, keys: Path, other_key: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_public(other_key, tmp_path / "other.pem")
    sign(signed, other_key)
    monkeypatch.setenv("BRAIN_EDGE_TRUST", str(keys))
    refused(other, "in common")
    with pytest.raises(BundleUntrusted):
        load_bundle(signed, trusted=trusted_keys([keys, other]))
    monkeypatch.setenv("BRAIN_EDGE_TRUST", os.pathsep.join([str(keys), str(other)]))
    assert load_bundle(signed, trusted=trusted_keys(other)).signed_by is not None
    monkeypatch.setenv("BRAIN_EDGE_TRUST", "")
    refused(None, "empty name")


def test_a_spawned_process_asks_for_the_signature_again(
    signed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(keys.parent)
    classifier = Classifier.load(signed, trust=keys.name, self_test="off")
    sent = pickle.dumps(classifier)
    monkeypatch.chdir("/")
    again = pickle.loads(sent)  # noqa: S301 -- as multiprocessing does
    assert again.signed_by == classifier.signed_by
    assert pickle.loads(pickle.dumps(again)).signed_by == classifier.signed_by  # noqa: S301
    signature_path(signed).unlink()
    with pytest.raises(BundleUntrusted, match="is not signed"):
        pickle.loads(sent)  # noqa: S301


def test_the_policy_of_a_process_holds_for_what_another_process_sends(
    signed: Path, keys: Path, other_key: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pickle.dumps(Classifier.load(signed, trust=keys, self_test="off"))
    not_asked = pickle.dumps(Classifier.load(signed, self_test="off"))
    monkeypatch.setenv("BRAIN_EDGE_TRUST", str(keys))
    for sent in (asked, not_asked):
        again = pickle.loads(sent)  # noqa: S301 -- as multiprocessing does
        assert again.signed_by is not None
        assert again._trusted.sources == ((str(keys),),)  # which it sends on, once
    other = write_public(other_key, tmp_path / "other.pem")
    monkeypatch.setenv("BRAIN_EDGE_TRUST", str(other))
    with pytest.raises(BundleUntrusted, match="in common"):
        pickle.loads(asked)  # noqa: S301
    with pytest.raises(BundleUntrusted, match="not trusted here"):
        pickle.loads(not_asked)  # noqa: S301
    signature_path(signed).unlink()
    monkeypatch.setenv("BRAIN_EDGE_TRUST", str(keys))
    with pytest.raises(BundleUntrusted, match="is not signed"):
        pickle.loads(not_asked)  # noqa: S301


@pytest.mark.parametrize("trust", [False, True])
def test_the_library_is_imported_only_where_trust_is_asked_for(
    trust: bool, signed: Path, keys: Path
) -> None:
    given = f", trust={str(keys)!r}" if trust else ""
    program = (
        "import sys\nfrom edge_infer import Classifier\n"
        f"Classifier.load({str(signed)!r}{given}, self_test='off')\nprint('cryptography' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.split() == [str(trust)]


def test_without_the_library_the_extra_is_named(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingDependency) as caught:
        trusted_keys(keys)
    assert "pip install 'brain-edge[trust]'" in str(caught.value)


def test_two_keys_of_one_site_differ() -> None:
    assert key_id_of(new_key().public_key()) != key_id_of(new_key().public_key())
