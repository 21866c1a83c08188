"""What a loaded bundle says, and which bundles are refused that are whole but say what cannot be."""

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from own_bundle import ORGAN, PETS, own_body, own_files
from tiny_bundle import (
    GOLDEN,
    as_schema_1,
    as_schema_2,
    bundle_files,
    files_with_scope,
    manifest_body,
    scope_file,
    tiny_model,
    tiny_series,
    tiny_trust,
)

from edge_infer import bundle as bundle_module
from edge_infer.bundle import Bundle, load_bundle, write_bundle
from edge_infer.contract import GOLDEN_FILE, LABELS, SCOPE_FILE
from edge_infer.errors import (
    BundleError,
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    CannotWrite,
)
from edge_infer.manifest import render_manifest
from edge_infer.model_file import describe_file

MakeBundle = Callable[..., Path]


def rewrite(folder: Path, *without: str, **changes: Any) -> None:
    """Change the manifest, have it list the files that are there, and give it a right digest."""
    path = folder / "manifest.json"
    manifest = {**json.loads(path.read_bytes()), **changes}
    for name in without:
        del manifest[name]
    files = {each.name: describe_file(each.read_bytes()) for each in folder.iterdir()}
    del files[path.name]
    path.write_bytes(render_manifest({**manifest, "files": files}))


def test_a_bundle_cannot_be_changed(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    for each in fields(bundle):
        with pytest.raises(FrozenInstanceError):
            setattr(bundle, each.name, None)
    assert not hasattr(bundle, "__dict__")


def test_the_parts_of_a_bundle_are_given_by_name(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    parts = {each.name: getattr(bundle, each.name) for each in fields(bundle)}
    assert Bundle(**parts) == bundle
    with pytest.raises(TypeError):
        Bundle(*parts.values())  # type: ignore[call-arg]


def test_a_bundle_is_shown_without_the_content_of_its_files(trusting_path: Path) -> None:
    shown = repr(load_bundle(trusting_path))
    hidden = ["model", "config", "manifest", "golden_png", "scope_bin"]
    assert [name for name in hidden if f" {name}=" in shown] == []
    assert f"path={trusting_path!r}" in shown
    assert "classes=" in shown


@pytest.mark.parametrize(
    ("changes", "largest"),
    [
        ({"precision": "fp32"}, 0),
        ({"precision": "fp16", "quantization": {"largest_weight": 64}}, 0),
        ({"precision": "int8", "quantization": {"largest_weight": 64}}, 64),
        ({"precision": "int8", "quantization": {"largest_weight": 0}}, 0),
        ({"precision": "int8"}, 128),
    ],
    ids=str,
)
def test_the_largest_weight_is_the_largest_possible_where_nothing_is_said(
    make_bundle: MakeBundle, changes: dict[str, Any], largest: int
) -> None:
    assert load_bundle(make_bundle(**changes)).largest_weight == largest


def test_golden_images_come_with_their_answers(bundle_path: Path) -> None:
    cases = load_bundle(bundle_path).golden_cases()
    assert [case.number for case in cases] == list(range(1, 17))
    assert all((case.grey == grey).all() for case, grey in zip(cases, GOLDEN, strict=True))


def test_what_a_bundle_does_not_say_is_none(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    assert (bundle.trust, bundle.scope_model, bundle.scope_bin) == (None, None, None)
    assert (bundle.series_rule, bundle.baseline, bundle.signed_by) == (None, None, None)


def test_a_bundle_gives_back_its_scope_check(trusting_path: Path) -> None:
    bundle = load_bundle(trusting_path)
    assert bundle.scope_bin == scope_file()
    assert bundle.scope_model is not None
    assert bundle.scope_model.dim == 16
    assert bundle.trust is not None
    assert bundle.trust.scope_threshold == bundle.scope_model.threshold == 1.0


def test_a_scope_check_for_other_embeddings_is_refused(tmp_path: Path) -> None:
    graph = tiny_model()
    graph.graph.output[1].type.tensor_type.shape.dim[1].dim_value = 12
    files = files_with_scope(model=graph.SerializeToString())
    with pytest.raises(BundleIntegrity, match=r"16 numbers, but model\.onnx gives 12"):
        write_bundle(tmp_path / "new", files, manifest_body(trust=tiny_trust()))


@pytest.mark.parametrize("trust", [None, tiny_trust(scope=None)])
def test_a_scope_check_that_nothing_describes_is_refused(tmp_path: Path, trust: object) -> None:
    with pytest.raises(
        BundleIntegrity, match=rf"holds {SCOPE_FILE}, but .* describes no"
    ) as caught:
        write_bundle(tmp_path / "new", files_with_scope(), manifest_body(trust=trust))
    assert caught.value.hint.startswith("remove it")


def test_a_scope_check_that_is_described_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BundleIncomplete, match=rf"^bundle lacks {SCOPE_FILE}") as caught:
        write_bundle(tmp_path / "new", bundle_files(), manifest_body(trust=tiny_trust()))
    assert caught.value.hint == "copy the whole folder"


def test_trust_may_describe_no_scope_check(make_bundle: MakeBundle) -> None:
    bundle = load_bundle(make_bundle(trust=tiny_trust(scope=None)))
    assert bundle.trust is not None
    assert (bundle.scope_model, bundle.scope_bin) == (None, None)


def test_schema_1_has_no_golden_images(own_bundle: Path) -> None:
    as_schema_1(own_bundle)
    bundle = load_bundle(own_bundle)
    assert bundle.golden_png is None
    assert bundle.golden_cases() == []
    (own_bundle / GOLDEN_FILE).write_bytes(bundle_files()[GOLDEN_FILE])
    rewrite(own_bundle)
    with pytest.raises(BundleIntegrity, match=f"holds {GOLDEN_FILE}, .* of schema 1") as caught:
        load_bundle(own_bundle)
    assert caught.value.hint.startswith("remove it")


@pytest.mark.parametrize("older", [None, as_schema_2])
def test_every_later_schema_needs_golden_images(
    own_bundle: Path, older: Callable[[Path], None] | None
) -> None:
    if older is not None:
        older(own_bundle)
    assert len(load_bundle(own_bundle).golden_cases()) == 16
    (own_bundle / GOLDEN_FILE).unlink()
    rewrite(own_bundle)
    with pytest.raises(BundleIncomplete, match=f"^bundle lacks {GOLDEN_FILE}") as caught:
        load_bundle(own_bundle)
    assert caught.value.hint == "copy the whole folder"


def test_golden_answers_are_checked_at_load(own_bundle: Path) -> None:
    rewrite(own_bundle, self_test={"tolerance_logits": 0})
    with pytest.raises(BundleIncompatible, match="tolerance_logits"):
        load_bundle(own_bundle)


def test_a_manifest_that_lists_other_files_is_incomplete(own_bundle: Path) -> None:
    manifest = json.loads((own_bundle / "manifest.json").read_bytes())
    del manifest["files"]["README.md"]
    (own_bundle / "manifest.json").write_bytes(render_manifest(manifest))
    with pytest.raises(BundleIncomplete, match="files lists"):
        load_bundle(own_bundle)


def test_a_rule_for_series_needs_a_negative_class(tmp_path: Path) -> None:
    with pytest.raises(
        BundleIncompatible, match=r"config\.json states no negative_label"
    ) as caught:
        write_bundle(tmp_path / "new", own_files(PETS), own_body(PETS, series=tiny_series()))
    assert caught.value.hint.startswith("export the bundle again")
    ruled = write_bundle(
        tmp_path / "ruled", own_files(ORGAN), own_body(ORGAN, series=tiny_series())
    )
    assert ruled.series_rule is not None
    assert ruled.classes == ORGAN
    assert write_bundle(tmp_path / "pets", own_files(PETS), own_body(PETS)).series_rule is None


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("data", [b"{", b"[]", b'{"a": NaN}', b"\xff"])
def test_what_cannot_be_read_as_json_is_named(own_bundle: Path, name: str, data: bytes) -> None:
    said = f"^{name}: cannot be read as JSON"
    with pytest.raises(BundleIncompatible, match=said):
        write_bundle(own_bundle, {**bundle_files(), name: data}, manifest_body())
    (own_bundle / name).write_bytes(data)
    rewrite(own_bundle)
    with pytest.raises(BundleIncompatible, match=said):
        load_bundle(own_bundle)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(OSError(5, "Input/output error"), "Input/output error"), (OSError("odd disk"), "odd disk")],
)
def test_a_disk_that_does_not_give_back_what_was_written_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: OSError, reason: str
) -> None:
    def broken(_: Path) -> dict[str, bytes]:
        raise BundleIncomplete("cannot be read") from cause

    monkeypatch.setattr(bundle_module, "read_bundle_files", broken)
    with pytest.raises(CannotWrite) as caught:
        write_bundle(tmp_path / "new", bundle_files(), manifest_body())
    said = f"{tmp_path / 'new'}: what was written cannot be read back ({reason})"
    assert caught.value.message == said
    assert caught.value.hint == "check the disk, and export again"


@pytest.mark.parametrize("cause", [None, ValueError("no disk")])
def test_a_bundle_that_is_incomplete_is_no_fault_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: Exception | None
) -> None:
    def broken(_: Path) -> dict[str, bytes]:
        raise BundleIncomplete("lacks something") from cause

    monkeypatch.setattr(bundle_module, "read_bundle_files", broken)
    with pytest.raises(BundleIncomplete, match=r"^lacks something$"):
        write_bundle(tmp_path / "new", bundle_files(), manifest_body())


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config.json": b"{}"},
        {**bundle_files(), "manifest.json": b"{}"},
        {**bundle_files(), "more.txt": b""},
        {SCOPE_FILE: scope_file()},
    ],
    ids=["none", "one", "manifest", "more", "scope alone"],
)
def test_exactly_the_files_of_a_bundle_are_written(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match=rf"^files are .* and perhaps {SCOPE_FILE}"):
        write_bundle(tmp_path / "new", files, manifest_body())
    assert list(tmp_path.iterdir()) == []


def test_the_written_bundle_is_returned_as_loaded(tmp_path: Path) -> None:
    written = write_bundle(tmp_path / "new", bundle_files(), manifest_body())
    assert written.path == tmp_path / "new"
    assert written.labels == LABELS
    with pytest.raises(BundleError):
        load_bundle(tmp_path)
