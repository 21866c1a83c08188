"""Where trust is asked for, only a bundle loads that a trusted key signed: these bytes, all of them, and no more."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA384
from signed_bundle import fields_of, payload_of, resigned, sign, signed_file
from tiny_bundle import bundle_files, manifest_body

from edge_infer import bundle as bundle_module
from edge_infer import classifier as classifier_module
from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.classifier import Classifier
from edge_infer.errors import BundleIntegrity, BundleUntrusted
from edge_infer.signature.keys import trusted_keys
from edge_infer.signature.public_key import key_id_of
from edge_infer.signature.verify import signature_path


def load(folder: Path, keys: Path) -> Any:
    return load_bundle(folder, trusted=trusted_keys(keys))


def test_a_signed_bundle_loads_and_says_who_signed_it(
    signed: Path, keys: Path, site_key: Any
) -> None:
    classifier = Classifier.load(signed, trust=keys)
    assert classifier.signed_by is not None
    assert classifier.signed_by.key_file == "site.pem"
    assert classifier.model.signed_by == key_id_of(site_key.public_key())


def test_without_trust_a_signature_is_not_asked_for(signed: Path) -> None:
    signature_path(signed).write_bytes(b"not a signature")
    classifier = Classifier.load(signed, self_test="off")
    assert classifier.signed_by is None
    assert classifier.model.signed_by is None


def test_the_link_to_a_bundle_has_the_signature_of_the_bundle(signed: Path, keys: Path) -> None:
    link = signed.parent / "current"
    link.symlink_to(signed)
    assert load(link, keys).signed_by.key_file == "site.pem"


def test_a_renamed_bundle_keeps_its_signature(signed: Path, keys: Path) -> None:
    renamed = signed.rename(signed.parent / "other")
    signature_path(signed).rename(signature_path(renamed))
    assert load(renamed, keys).signed_by.key_file == "site.pem"


def _unsigned(folder: Path, _key: Any) -> None:
    signature_path(folder).unlink()


def _another_key(folder: Path, other: Any) -> None:
    sign(folder, other)


def _written_anew(folder: Path, _key: Any) -> None:
    """Everything vouches for itself again, as whoever rewrites a bundle sees to."""
    write_bundle(folder, {**bundle_files(), "README.md": b"# Another card\n"}, manifest_body())


def _another_manifest(folder: Path, _key: Any) -> None:
    write_bundle(folder, bundle_files(), manifest_body(intended_use="Diagnosis."))


def _a_link_that_leads_nowhere(folder: Path, _key: Any) -> None:
    signature_path(folder).unlink()
    signature_path(folder).symlink_to("nowhere")


def _a_folder(folder: Path, _key: Any) -> None:
    signature_path(folder).unlink()
    signature_path(folder).mkdir()


def _too_long(folder: Path, _key: Any) -> None:
    path = signature_path(folder)
    path.write_bytes(path.read_bytes() + b" " * 2**20)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (_unsigned, "bundle is not signed, .*tiny.sig is missing"),
        (_another_key, "which is not trusted here; trusted: site.pem"),
        (_written_anew, r"README\.md, manifest\.json: not the file that was signed"),
        (_another_manifest, r"manifest\.json: not the file that was signed"),
        (_a_link_that_leads_nowhere, "is not signed"),
        (_a_folder, "is not a regular file"),
        (_too_long, "is larger than"),
    ],
)
def test_another_bundle_is_refused_before_onnxruntime_sees_it(
    attack: Callable[[Path, Any], None],
    words: str,
    signed: Path,
    keys: Path,
    other_key: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attack(signed, other_key)
    monkeypatch.setattr(classifier_module, "open_chosen_session", _not_to_be_reached)
    with pytest.raises(BundleUntrusted, match=words) as caught:
        Classifier.load(signed, trust=keys)
    assert (caught.value.exit_code, caught.value.code) == (31, "bundle_untrusted")
    assert caught.value.hint


def _not_to_be_reached(*_: object, **__: object) -> None:
    raise AssertionError("a session was opened")


def test_the_signature_of_another_bundle_is_refused(
    signed: Path, keys: Path, site_key: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_bundle(other, bundle_files(), manifest_body(intended_use="Other tests."))
    shutil.copy(sign(other, site_key), signature_path(signed))
    with pytest.raises(BundleUntrusted, match=r"manifest\.json: not the file that was signed"):
        load(signed, keys)


def test_what_was_verified_is_what_runs(
    signed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is changed after it was read is not used."""
    read = bundle_module.read_bundle_files

    def read_and_change(folder: Path) -> dict[str, bytes]:
        contents = read(folder)
        (folder / "model.onnx").write_bytes(contents["model.onnx"] + b"\0")
        return contents

    monkeypatch.setattr(bundle_module, "read_bundle_files", read_and_change)
    with pytest.raises(BundleIntegrity, match=r"model\.onnx: is not what was loaded"):
        Classifier.load(signed, trust=keys)


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.update(mediaType="application/vnd.dev.sigstore.bundle.v0.2+json"),
        lambda file: file.update(more=1),
        lambda file: file.pop("verificationMaterial"),
        lambda file: file["verificationMaterial"].update(certificate={}),
        lambda file: file["verificationMaterial"].update(tlogEntries=[{}]),
        lambda file: file["verificationMaterial"].update(publicKey=None),
        lambda file: file["verificationMaterial"]["publicKey"].update(hint=None),
        lambda file: file["verificationMaterial"]["publicKey"].pop("hint"),
        lambda file: file["dsseEnvelope"].update(payloadType="application/json"),
        lambda file: file["dsseEnvelope"].update(signatures=[]),
        lambda file: file["dsseEnvelope"].update(signatures={}),
        lambda file: file["dsseEnvelope"]["signatures"].append(
            file["dsseEnvelope"]["signatures"][0]
        ),
        lambda file: file["dsseEnvelope"]["signatures"][0].update(keyid="another"),
        lambda file: file["dsseEnvelope"]["signatures"][0].update(sig=""),
        lambda file: file["dsseEnvelope"]["signatures"][0].update(sig=5),
        lambda file: file["dsseEnvelope"].update(payload=file["dsseEnvelope"]["payload"] + "\n"),
        lambda file: file["dsseEnvelope"].update(payload=file["dsseEnvelope"]["payload"] + "="),
        lambda file: file["dsseEnvelope"].update(payload="e30="),
    ],
)
def test_an_envelope_of_another_form_is_refused(change: Change, signed: Path, keys: Path) -> None:
    fields = fields_of(signed)
    change(fields)
    signature_path(signed).write_text(json.dumps(fields))
    with pytest.raises(BundleUntrusted):
        load(signed, keys)


@pytest.mark.parametrize(
    "mutate",
    [
        lambda text: text + "{}",
        lambda text: "\ufeff" + text,
        lambda text: text.replace('{"mediaType"', '{"mediaType": "", "mediaType"'),
        lambda text: f"[{text}]",
        lambda _: "[" * 200_000,
        lambda _: "",
    ],
)
def test_a_file_that_is_not_one_object_is_refused(
    mutate: Callable[[str], str], signed: Path, keys: Path
) -> None:
    path = signature_path(signed)
    path.write_text(mutate(path.read_text()))
    with pytest.raises(BundleUntrusted, match="is no signature of OpenSSF Model Signing by a key"):
        load(signed, keys)


def _first(statement: dict[str, Any]) -> dict[str, Any]:
    return statement["predicate"]["resources"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said.update(_type="https://in-toto.io/Statement/v0.1"), "_type"),
        (lambda said: said.update(predicateType="https://slsa.dev/provenance/v1"), "predicateType"),
        (lambda said: said.update(more=1), "other fields"),
        (lambda said: said["subject"].append(said["subject"][0]), "subject is not exactly one"),
        (lambda said: said.update(subject=[]), "subject is not exactly one"),
        (lambda said: said["subject"][0]["digest"].update(sha256="0" * 64), "subject's digest"),
        (lambda said: said["subject"][0]["digest"].update(sha512="0"), "subject's digest"),
        (lambda said: said["subject"][0].update(name=None), "name is no text"),
        (lambda said: said["predicate"].update(more=1), "other fields"),
        (lambda said: said["predicate"].update(resources={}), "no list"),
        (lambda said: said["predicate"]["resources"].append(dict(_first(said))), "twice"),
        (lambda said: _first(said).update(algorithm="blake3"), "algorithm"),
        (lambda said: _first(said).update(digest=_first(said)["digest"].upper()), "no SHA-256"),
        (lambda said: _first(said).update(size=1), "other fields"),
        (lambda said: said["predicate"]["serialization"].update(method="shards"), "hashed whole"),
        (lambda said: said["predicate"]["serialization"].update(shard_size=1), "hashed whole"),
        (lambda said: said["predicate"]["serialization"].pop("allow_symlinks"), "hashed whole"),
        (lambda said: said["predicate"]["serialization"].update(ignore_paths="*"), "ignore_paths"),
        (lambda said: said.pop("predicate"), "other fields"),
    ],
)
def test_a_statement_of_another_form_is_refused_even_if_it_is_signed(
    change: Change, words: str, signed: Path, keys: Path, site_key: Any
) -> None:
    statement = payload_of(fields_of(signed))
    change(statement)
    signature_path(signed).write_text(json.dumps(resigned(statement, site_key)))
    with pytest.raises(BundleUntrusted, match=f"is signed, but says nothing of a bundle .*{words}"):
        load(signed, keys)


@pytest.mark.parametrize("payload", [b"", b"null", b"\xff", b"{} {}", b'{"_type": 1, "_type": 1}'])
def test_a_payload_that_is_no_statement_is_refused_even_if_it_is_signed(
    payload: bytes, signed: Path, keys: Path, site_key: Any
) -> None:
    signature_path(signed).write_text(json.dumps(resigned(payload, site_key)))
    with pytest.raises(BundleUntrusted, match="says nothing of a bundle"):
        load(signed, keys)


@pytest.mark.parametrize("left_out", ["README.md", "model.onnx", "manifest.json"])
def test_a_file_that_was_not_signed_is_refused_though_its_path_is_to_be_ignored(
    left_out: str, signed: Path, keys: Path, site_key: Any
) -> None:
    from edge_infer.signature.statement import read_statement, render_statement

    digests = read_statement(json.dumps(payload_of(fields_of(signed))).encode())
    del digests[left_out]
    statement = json.loads(render_statement("tiny", digests))
    statement["predicate"]["serialization"]["ignore_paths"] = [left_out]
    signature_path(signed).write_text(json.dumps(resigned(statement, site_key)))
    with pytest.raises(BundleUntrusted, match=f"{left_out}: in the bundle, but not signed"):
        load(signed, keys)


def test_a_file_that_was_signed_and_is_missing_is_refused(
    signed: Path, keys: Path, site_key: Any
) -> None:
    from edge_infer.signature.statement import read_statement, render_statement

    digests = read_statement(json.dumps(payload_of(fields_of(signed))).encode())
    statement = render_statement("tiny", {**digests, "scope.bin": "0" * 64})
    signature_path(signed).write_text(json.dumps(resigned(statement, site_key)))
    with pytest.raises(BundleUntrusted, match=r"scope\.bin: signed, but not in the bundle"):
        load(signed, keys)


def test_a_signature_of_another_hash_or_of_zeros_is_refused(
    signed: Path, keys: Path, site_key: Any
) -> None:
    statement = payload_of(fields_of(signed))
    identity = key_id_of(site_key.public_key())
    zeros = bytes.fromhex("3006020100020100")  # r = s = 0: CVE-2022-21449 took it for any message
    for fields in (
        resigned(statement, site_key, SHA384()),
        signed_file(json.dumps(statement).encode(), zeros, identity),
    ):
        signature_path(signed).write_text(json.dumps(fields))
        with pytest.raises(BundleUntrusted, match="was not made with the key that it names"):
            load(signed, keys)
