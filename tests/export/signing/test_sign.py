"""``--sign``: a bundle gets a signature beside it, with a key that nobody else can read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from signed_bundle import new_key, payload_of, write_private, write_public
from tiny_bundle import bundle_files, manifest_body

from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.errors import BundleUntrusted, CannotWrite, UnreadableInput
from edge_infer.signature.keys import trusted_keys
from export.cli import main
from export.signing.private_key import read_passphrase, read_private_key
from export.signing.sign import sign_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "tiny", bundle_files(), manifest_body())
    return tmp_path / "tiny"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def private_file(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def test_a_bundle_that_exists_is_signed(bundle: Path, tmp_path: Path) -> None:
    key = new_key()
    ended = run("--bundle", bundle, "--sign", write_private(key, tmp_path / "key.pem"))
    assert ended.exit_code == 0, ended.stderr
    assert f"signature: {bundle}.sig (key " in ended.stdout
    trusted = trusted_keys(write_public(key, tmp_path / "public.pem"))
    assert load_bundle(bundle, trusted=trusted).signed_by is not None
    names = {one["name"] for one in _statement(bundle)["predicate"]["resources"]}
    assert names == {path.name for path in bundle.iterdir()}


def _statement(bundle: Path) -> dict[str, Any]:
    return payload_of(json.loads(bundle.with_name("tiny.sig").read_bytes()))


def test_an_encrypted_key_needs_its_passphrase(bundle: Path, tmp_path: Path) -> None:
    key = write_private(new_key(), tmp_path / "key.pem", b"a pass phrase")
    right = private_file(tmp_path / "right", b"a pass phrase\r\nnotes\n")
    wrong = private_file(tmp_path / "wrong", b"another\n")
    ended = run("--bundle", bundle, "--sign", key, "--passphrase-file", wrong)
    assert ended.exit_code == 20
    assert "the passphrase is wrong" in ended.stderr
    assert "another" not in ended.stderr
    ended = run("--bundle", bundle, "--sign", key)
    assert ended.exit_code == 2
    assert "give --passphrase-file, or use a terminal" in ended.stderr
    assert run("--bundle", bundle, "--sign", key, "--passphrase-file", right).exit_code == 0


def test_a_key_that_others_may_read_is_refused(bundle: Path, tmp_path: Path) -> None:
    key = write_private(new_key(), tmp_path / "key.pem")
    key.chmod(0o640)
    ended = run("--bundle", bundle, "--sign", key)
    assert ended.exit_code == 20
    assert "others may read it" in ended.stderr
    assert f"chmod 600 {key}" in ended.stderr
    secret = tmp_path / "secret"
    secret.write_bytes(b"a pass phrase")
    secret.chmod(0o644)
    with pytest.raises(UnreadableInput, match="others may read it"):
        read_passphrase(secret)
    with pytest.raises(UnreadableInput, match="first line is empty"):
        read_passphrase(private_file(tmp_path / "empty", b"\nx"))


def test_another_key_than_p256_is_refused(tmp_path: Path, bundle: Path) -> None:
    other = write_private(ec.generate_private_key(ec.SECP384R1()), tmp_path / "p384.pem")
    public = write_public(new_key(), tmp_path / "public.pem")
    public.chmod(0o600)
    for path, words in ((other, "of another kind"), (public, "it is no PEM")):
        with pytest.raises(UnreadableInput, match=words):
            read_private_key(path, lambda: b"")
    assert not bundle.with_name("tiny.sig").exists()


def test_another_file_in_its_place_is_not_replaced(bundle: Path) -> None:
    path = bundle.with_name("tiny.sig")
    path.write_text("notes of somebody\n")
    with pytest.raises(CannotWrite, match="is there already and is no signature"):
        sign_bundle(load_bundle(bundle), new_key())
    assert path.read_text() == "notes of somebody\n"


def test_signing_again_replaces_the_signature(bundle: Path, tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    for key in (first, second):
        sign_bundle(load_bundle(bundle), key)
    trusted = trusted_keys(write_public(second, tmp_path / "second.pem"))
    assert load_bundle(bundle, trusted=trusted).signed_by is not None


def test_what_was_loaded_is_signed_and_not_what_lies_there(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    write_bundle(bundle, bundle_files(), manifest_body(intended_use="Other tests."))
    with pytest.raises(BundleUntrusted, match=r"manifest\.json: not the file that was signed"):
        sign_bundle(loaded, new_key())


def test_options_that_need_others_say_so(bundle: Path, tmp_path: Path) -> None:
    secret = private_file(tmp_path / "secret", b"x")
    ended = run("--bundle", bundle, "--passphrase-file", secret)
    assert ended.exit_code == 2
    assert "--passphrase-file needs --sign" in ended.stderr
    ended = run("--bundle", bundle)
    assert "--bundle needs --end-to-end, --triton, --web or --sign" in ended.stderr


def test_a_key_is_read_before_minutes_of_work(tmp_path: Path) -> None:
    ended = run(
        "--model", "cvt13", "--output", tmp_path / "out", "--sign", tmp_path / "missing.pem"
    )
    assert ended.exit_code == 20
    assert "missing.pem: cannot be read" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_signing_needs_neither_torch_nor_onnx(bundle: Path, tmp_path: Path) -> None:
    """A hospital signs what it has accepted; it does not train."""
    key = write_private(new_key(), tmp_path / "key.pem")
    program = (
        "import sys\nfor name in ('torch', 'onnx', 'onnxruntime'): sys.modules[name] = None\n"
        f"from export.cli import main\nmain(['--bundle', {str(bundle)!r}, '--sign', {str(key)!r}])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
