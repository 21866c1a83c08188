import errno
import hashlib
import json
import os
import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from tiny_bundle import (
    as_schema_1,
    as_schema_2,
    bundle_files,
    manifest_body,
    tiny_model,
    tiny_series,
)

from edge_infer import atomic
from edge_infer import bundle as bundle_module
from edge_infer import bundle_files as bundle_files_module
from edge_infer.bundle import load_bundle, shipped_bundle_path, write_bundle
from edge_infer.contract import (
    BUNDLE_FILES,
    BUNDLE_SCHEMA_VERSION,
    LABELS,
    METADATA_KEY,
    RESEARCH_USE_ONLY,
)
from edge_infer.errors import (
    BundleError,
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    CannotWrite,
    ContentRefused,
)
from edge_infer.manifest import canonical_json, parse_manifest, render_manifest

MakeBundle = Callable[..., Path]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def resign(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest and give it a right digest again."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    digest = hashlib.sha256(canonical_json({**manifest, "manifest_sha256": ""}))
    path.write_bytes(canonical_json({**manifest, "manifest_sha256": digest.hexdigest()}))


def test_a_bundle_is_loaded_as_it_was_written(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    files = bundle_files()
    assert bundle.labels == LABELS
    assert bundle.id2label == dict(enumerate(LABELS))
    assert bundle.temperature == 2.0
    assert bundle.model_bytes == files["model.onnx"]
    assert bundle.manifest["opset"] == 18
    assert bundle.manifest["image_size"] == {"height": 32, "width": 32}
    assert bundle.manifest["research_use_only"] == RESEARCH_USE_ONLY
    assert names(bundle_path) == sorted(BUNDLE_FILES)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_any_flipped_bit_in_any_file_is_refused(own_bundle: Path, name: str) -> None:
    path = own_bundle / name
    data = path.read_bytes()
    places = random.Random(name).sample(  # noqa: S311 -- places, no secrets
        range(len(data) * 8), min(200, len(data) * 8)
    )
    for place in places:
        spoiled = bytearray(data)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        with pytest.raises(BundleIntegrity) as caught:
            load_bundle(own_bundle)
        assert caught.value.exit_code == 31
    path.write_bytes(data)
    load_bundle(own_bundle)  # and whole again, it loads: the refusals were for the bits


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_truncated_lengthened_and_empty_files_are_refused(own_bundle: Path, name: str) -> None:
    path = own_bundle / name
    data = path.read_bytes()
    for spoiled in (data[:-1], data + b"\0", data + b"\n", b"", data[: len(data) // 2]):
        path.write_bytes(spoiled)
        with pytest.raises(BundleIntegrity):
            load_bundle(own_bundle)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_missing_file_is_named(own_bundle: Path, name: str) -> None:
    (own_bundle / name).unlink()
    with pytest.raises(BundleIncomplete, match=name) as caught:
        load_bundle(own_bundle)
    assert caught.value.exit_code == 30


@pytest.mark.parametrize("count", [1, len(BUNDLE_FILES)])
def test_files_may_be_links_to_files_with_the_right_digests(own_bundle: Path, count: int) -> None:
    """As uv --link-mode symlink and the cache of Hugging Face lay them."""
    blobs = own_bundle.parent / "blobs"
    blobs.mkdir()
    for number, name in enumerate(BUNDLE_FILES[:count]):
        (own_bundle / name).rename(blobs / str(number))
        (own_bundle / name).symlink_to(Path("..") / "blobs" / str(number))
    (own_bundle / ".gitattributes").write_text("*.onnx filter=lfs\n")
    load_bundle(own_bundle)
    linked = own_bundle.with_name("linked")
    linked.symlink_to(own_bundle.name)
    assert load_bundle(linked).model_bytes == bundle_files()["model.onnx"]
    blob = blobs / "0"
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleIntegrity):
        load_bundle(own_bundle)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_link_to_nothing_is_incomplete(own_bundle: Path, name: str) -> None:
    (own_bundle / name).unlink()
    (own_bundle / name).symlink_to("gone")
    with pytest.raises(BundleIncomplete, match=f"{name} is a broken link"):
        load_bundle(own_bundle)


@pytest.mark.parametrize("target", ["folder", "pipe", "/dev/zero", "/dev/null"])
@pytest.mark.parametrize("is_linked", [True, False])
def test_what_is_no_file_is_refused_linked_or_not(
    own_bundle: Path, target: str, is_linked: bool
) -> None:
    path = own_bundle / "README.md"
    path.unlink()
    place = path if not is_linked else own_bundle.parent / "there"
    if target == "folder":
        place.mkdir()
    elif target == "pipe":
        os.mkfifo(place)
    elif is_linked:
        place = Path(target)
    else:
        pytest.skip("devices are made by root only")
    if is_linked:
        path.symlink_to(place)
    with pytest.raises(BundleIntegrity, match=r"README\.md is not a regular file"):
        load_bundle(own_bundle)


def test_links_in_a_circle_are_incomplete(own_bundle: Path) -> None:
    (own_bundle / "README.md").unlink()
    (own_bundle / "README.md").symlink_to("README.md")
    with pytest.raises(BundleIncomplete, match="cannot be read"):
        load_bundle(own_bundle)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that is longer than it says")
def test_a_file_of_the_system_is_read_no_further_than_it_says(own_bundle: Path) -> None:
    (own_bundle / "README.md").unlink()
    (own_bundle / "README.md").symlink_to("/proc/self/maps")
    with pytest.raises(BundleIntegrity, match="has changed while it was read"):
        load_bundle(own_bundle)


def test_no_descriptor_is_left_behind(own_bundle: Path) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    load_bundle(own_bundle)
    (own_bundle / "README.md").unlink()
    (own_bundle / "README.md").mkdir()
    with pytest.raises(BundleIntegrity):
        load_bundle(own_bundle)
    assert held() == before


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_reader_never_meets_half_a_replacement(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "exchange_paths", lambda *_: False)

    def replace() -> None:
        for temperature in range(1, 21):
            body = manifest_body(calibration={"temperature": float(temperature)})
            write_bundle(own_bundle, bundle_files(), body)

    loads = 0
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(replace)
        while not writing.done():
            load_bundle(own_bundle)
            loads += 1
    writing.result()
    assert loads >= 10


def test_a_reader_waits_while_a_writer_has_moved_the_folder_aside(own_bundle: Path) -> None:
    aside = own_bundle.with_name(f".{own_bundle.name}.old")
    own_bundle.rename(aside)
    writer = threading.Timer(0.2, aside.rename, (own_bundle,))
    writer.start()
    assert load_bundle(own_bundle).labels == LABELS
    writer.join()


def test_what_a_killed_writer_has_moved_aside_is_loaded(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # test_bundle_files shows that it waits a second for the writer.
    monkeypatch.setattr(bundle_files_module, "_PAUSE_S", 0.001)
    # Where the system cannot exchange folders, a writer killed between two renames leaves no folder.
    aside = own_bundle.with_name(f".{own_bundle.name}.old")
    own_bundle.rename(aside)
    assert load_bundle(own_bundle).labels == LABELS
    write_bundle(own_bundle, bundle_files(), manifest_body(model="other"))
    assert load_bundle(own_bundle).manifest["model"] == "other"
    assert not aside.exists()


def test_a_disk_that_does_not_give_back_what_was_written_is_one_that_cannot_be_written(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = sorted(path.read_bytes() for path in own_bundle.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(bundle_files_module, "_read", broken)
        with pytest.raises(CannotWrite, match=f"{own_bundle.name}: what was written") as refused:
            write_bundle(own_bundle, bundle_files(), manifest_body(model="other"))
    assert refused.value.exit_code == 40
    assert sorted(path.read_bytes() for path in own_bundle.iterdir()) == before


def test_a_bundle_replaced_while_it_is_read_is_read_again(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = bundle_files_module._read
    replaced = []

    def replace_first(descriptor: int, name: str, shown: str) -> bytes:
        if not replaced:
            replaced.append(True)
            write_bundle(own_bundle, bundle_files(), manifest_body(model="other"))
            return b""  # what a reader by name could have got
        return read(descriptor, name, shown)

    monkeypatch.setattr(bundle_files_module, "_read", replace_first)
    assert load_bundle(own_bundle).manifest["model"] == "other"


@pytest.mark.parametrize("name", ["weights.bin", "model.onnx.data", ".hidden", "folder/"])
def test_what_does_not_belong_there_is_refused(own_bundle: Path, name: str) -> None:
    if name.endswith("/"):
        (own_bundle / name).mkdir()
    else:
        (own_bundle / name).write_bytes(b"x")
    with pytest.raises(BundleIntegrity, match=name.strip("/")):
        load_bundle(own_bundle)


def test_no_folder_and_a_file_in_its_place_are_incomplete(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file", tmp_path):
        with pytest.raises(BundleIncomplete):
            load_bundle(path)


def test_the_size_cap_comes_before_reading(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_files_module, "MAX_BUNDLE_BYTES", 100)
    monkeypatch.setattr(bundle_files_module, "_read", lambda *_: pytest.fail("was read"))
    with pytest.raises(ContentRefused) as caught:
        load_bundle(own_bundle)
    assert caught.value.exit_code == 33


FIELDS = [*manifest_body(), "trust", "files", "labels", "opset", "image_size", "schema_version"]


@pytest.mark.parametrize("field", [*FIELDS, "research_use_only"])
def test_a_missing_field_is_named(own_bundle: Path, field: str) -> None:
    resign(own_bundle, lambda manifest: manifest.pop(field))
    with pytest.raises(BundleIncomplete, match=field):
        load_bundle(own_bundle)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 4),
        ("trust", []),
        ("trust", {}),
        ("series", []),
        ("series", {}),
        ("series", tiny_series(positive=2)),
        ("precision", "int4"),
        ("labels", "glioma"),
        ("labels", ["a", "a", "b", "c"]),
        ("opset", True),
        ("calibration", {}),
        ("calibration", {"temperature": 0}),
    ],
)
def test_what_this_package_does_not_know_is_incompatible(
    own_bundle: Path, field: str, value: object
) -> None:
    resign(own_bundle, lambda manifest: manifest.update({field: value}))
    with pytest.raises(BundleIncompatible) as caught:
        load_bundle(own_bundle)
    assert caught.value.exit_code == 32


def test_a_rule_for_series_is_kept(own_bundle: Path) -> None:
    resign(own_bundle, lambda manifest: manifest.update({"series": tiny_series()}))
    assert load_bundle(own_bundle).manifest["series"] == tiny_series()


@pytest.mark.parametrize(
    "change",
    [
        {"labels": [*reversed(LABELS)]},
        {"labels": [*LABELS[:3]]},
        {"image_size": {"height": 64, "width": 32}},
        {"opset": 17},
    ],
    ids=str,
)
def test_a_manifest_that_contradicts_the_files_is_refused(
    own_bundle: Path, change: dict[str, object]
) -> None:
    resign(own_bundle, lambda manifest: manifest.update(change))
    with pytest.raises(BundleIntegrity):
        load_bundle(own_bundle)


def test_labels_swapped_in_config_are_refused_by_those_in_the_graph(tmp_path: Path) -> None:
    swapped = (LABELS[1], LABELS[0], *LABELS[2:])
    with pytest.raises(BundleIntegrity, match=r"model\.onnx"):
        write_bundle(tmp_path / "new", bundle_files(labels=swapped), manifest_body())
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("id2label", "error"),
    [
        ({"0": "a", "2": "b"}, BundleIntegrity),
        ({"1": "a", "2": "b"}, BundleIntegrity),
        (None, BundleIncomplete),
        (["a", "b"], BundleIncomplete),
    ],
)
def test_ids_must_count_from_zero(
    tmp_path: Path, id2label: object, error: type[BundleError]
) -> None:
    files = {**bundle_files(), "config.json": json.dumps({"id2label": id2label}).encode()}
    with pytest.raises(error):
        write_bundle(tmp_path / "new", files, manifest_body())


def with_external_data(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def with_external_data_in_an_attribute(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="c", data_type=1, data_location=TensorProto.EXTERNAL)
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def with_external_data_location_only_hidden(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")


def with_external_sparse_data(model: onnx.ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.data_location = TensorProto.EXTERNAL


def with_custom_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "ai.onnx.contrib"


def with_loop(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Loop", [], ["x"]))


def with_subgraph_of_external_data(model: onnx.ModelProto) -> None:
    inner = onnx.GraphProto(name="inner")
    inner.initializer.add(data_location=TensorProto.EXTERNAL)
    model.graph.node.append(helper.make_node("Custom", [], ["x"], body=inner))


def with_function(model: onnx.ModelProto) -> None:
    model.functions.add(name="f", domain="local")


@pytest.mark.parametrize(
    "spoil",
    [
        with_external_data,
        with_external_data_in_an_attribute,
        with_external_data_location_only_hidden,
        with_external_sparse_data,
        with_custom_domain,
        with_loop,
        with_subgraph_of_external_data,
        with_function,
    ],
)
def test_external_data_loops_and_custom_operators_are_refused(
    tmp_path: Path, spoil: Callable[[onnx.ModelProto], None]
) -> None:
    model = tiny_model()
    spoil(model)
    with pytest.raises(ContentRefused):
        write_bundle(
            tmp_path / "new", bundle_files(model=model.SerializeToString()), manifest_body()
        )


@pytest.mark.parametrize(
    "data", [b"", b"rubbish", b"\xff" * 50, tiny_model().SerializeToString()[:-9]]
)
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BundleIntegrity, match="not an ONNX file"):
        write_bundle(tmp_path / "new", bundle_files(model=data), manifest_body())


def test_other_inputs_or_outputs_are_incompatible(tmp_path: Path) -> None:
    model = tiny_model()
    model.graph.input[0].name = "image"
    with pytest.raises(BundleIncompatible, match="image"):
        write_bundle(
            tmp_path / "new", bundle_files(model=model.SerializeToString()), manifest_body()
        )


@pytest.mark.parametrize("value", [None, "{}", "no json", "[]"])
def test_a_graph_that_states_no_labels_is_incomplete(tmp_path: Path, value: str | None) -> None:
    metadata = {} if value is None else {METADATA_KEY: value}
    model = tiny_model(metadata=metadata).SerializeToString()
    with pytest.raises(BundleIncomplete, match=METADATA_KEY):
        write_bundle(tmp_path / "new", bundle_files(model=model), manifest_body())


def test_a_bad_bundle_never_replaces_a_good_one(own_bundle: Path) -> None:
    before = {path.name: path.read_bytes() for path in own_bundle.iterdir()}
    model = tiny_model()
    with_external_data(model)
    wrong = bundle_files(model=model.SerializeToString())
    for files, body in [
        (wrong, manifest_body()),
        (bundle_files(height=64) | {"config.json": b"{}"}, manifest_body()),
        (bundle_files(), manifest_body(precision="int4")),
        (bundle_files(), {}),
    ]:
        with pytest.raises(BundleError):
            write_bundle(own_bundle, files, body)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_bundle(own_bundle, bundle_files(), manifest_body(metrics={"f1": float("nan")}))
    with pytest.raises(ValueError, match="files are"):
        write_bundle(own_bundle, {}, manifest_body())
    assert {path.name: path.read_bytes() for path in own_bundle.iterdir()} == before
    assert names(own_bundle.parent) == [own_bundle.name]


@pytest.mark.parametrize("older", [as_schema_1, as_schema_2])
def test_bundles_of_older_schemas_load_and_have_no_trust(
    own_bundle: Path, older: Callable[[Path], None]
) -> None:
    older(own_bundle)
    bundle = load_bundle(own_bundle)
    assert bundle.manifest["schema_version"] < BUNDLE_SCHEMA_VERSION
    assert (bundle.trust, bundle.scope_model, bundle.scope_bin) == (None, None, None)


def test_the_manifest_is_canonical_and_the_same_each_time() -> None:
    body = {
        **manifest_body(metrics={"näme": 0.1}),
        "files": {},
        "image_size": {},
        "labels": ["a", "b"],
        "opset": 18,
        "research_use_only": "",
        "schema_version": 1,
    }
    rendered = render_manifest(body)
    assert rendered == render_manifest(dict(reversed(body.items())))
    assert render_manifest(parse_manifest(rendered)) == rendered
    for spoiled in (
        rendered.replace(b"  ", b" ", 1),
        rendered[:-1],
        b"\xef\xbb\xbf" + rendered,
        rendered.replace(b"0.1", b"0.10"),
        rendered.replace(b"0.1", b"NaN"),
        rendered.replace(b'"gate": null', b'"gate": null,\n  "gate": null'),
        b"[" * 100_000,
        b"[]",
    ):
        assert spoiled != rendered
        with pytest.raises(BundleIntegrity):
            parse_manifest(spoiled)


def test_without_a_shipped_bundle_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "__file__", str(tmp_path / "bundle.py"))
    with pytest.raises(BundleIncomplete, match="--bundle"):
        shipped_bundle_path()
    (tmp_path / "shipped").mkdir()
    assert shipped_bundle_path() == tmp_path / "shipped"


def test_a_name_too_long_for_any_folder_is_no_bundle() -> None:
    with pytest.raises(BundleIncomplete, match="cannot be read"):
        load_bundle("a" * 300)
