"""Absurd numbers and nesting in the JSON of a bundle with correct digests: refused with a code, no traceback."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_bundle import (
    as_schema_1,
    bundle_files,
    files_with_scope,
    manifest_body,
    tiny_model,
    tiny_trust,
)

from edge_infer import Classifier
from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.contract import METADATA_KEY
from edge_infer.errors import BundleError
from edge_infer.manifest import canonical_json
from edge_infer.model_file import describe_file

ABSURD = [
    "1" + "0" * 400, "-1" + "0" * 400, "1" + "0" * 5000, "1e400", "-1e400", "1e308", "1e-320", "0", "-0.0",
    "-1", "true", "null", '"1"', "[]", "{}", "NaN", "Infinity", "-Infinity", "0.5",
]  # fmt: skip


def with_file(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and put its digest into the manifest."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = describe_file(data)
    with_manifest(folder, json.dumps(manifest))


def with_manifest(folder: Path, text: str) -> None:
    """Give a manifest its correct digest, in canonical form if there is one."""
    fields = json.loads(text)
    fields["manifest_sha256"] = hashlib.sha256(
        json.dumps({**fields, "manifest_sha256": ""}, indent=2, sort_keys=True, ensure_ascii=False)
        .encode(errors="surrogatepass") + b"\n"
    ).hexdigest()  # fmt: skip
    rendered = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_bytes(rendered.encode(errors="surrogatepass"))


def refused(folder: Path) -> BundleError:
    with pytest.raises(BundleError) as caught:
        Classifier.load(folder)
    assert caught.value.exit_code in (30, 31, 32, 33)
    assert len(caught.value.message) < 400
    return caught.value


def test_the_helper_makes_right_manifests(own_bundle: Path) -> None:
    before = (own_bundle / "manifest.json").read_bytes()
    with_manifest(own_bundle, before.decode())
    assert (own_bundle / "manifest.json").read_bytes() == before
    load_bundle(own_bundle)


@pytest.mark.parametrize("number", ABSURD, ids=lambda text: text[:8])
@pytest.mark.parametrize(
    "field", ["height", "resample", "rescale_factor", "image_std", "image_mean"]
)
def test_in_the_preprocessing(own_bundle: Path, field: str, number: str) -> None:
    fine = {"resample": {"0"}, "image_mean": {"0", "-0.0", "-1", "0.5", "1e-320"}}
    fine |= {"rescale_factor": {"0.5"}, "image_std": {"0.5"}}
    if number in fine.get(field, set()):
        pytest.skip("is a good one")
    fields = json.loads((own_bundle / "preprocessor_config.json").read_bytes())
    holder = fields["size"] if field == "height" else fields
    holder[field] = ["@", 1.0, 1.0] if field.startswith("image") else "@"
    with_file(
        own_bundle, "preprocessor_config.json", json.dumps(fields).replace('"@"', number).encode()
    )
    refused(own_bundle)


@pytest.mark.parametrize("number", ABSURD, ids=lambda text: text[:8])
@pytest.mark.parametrize(
    "place",
    [
        "schema_version",
        "opset",
        "image_size",
        "temperature",
        "largest_weight",
        "tolerance",
        "logit",
    ],
)
def test_in_the_manifest(own_bundle: Path, place: str, number: str) -> None:
    fine = {"temperature": {"0.5"}, "largest_weight": {"0"}, "tolerance": {"0.5"}}
    fine |= {"logit": {"0", "-0.0", "-1", "0.5", "1e-320"}}
    if number in fine.get(place, set()):
        pytest.skip("is a good one")
    if len(number) > 4300:
        pytest.skip("json writes no such number")
    manifest = json.loads((own_bundle / "manifest.json").read_bytes())
    value = json.loads(number)
    if place == "temperature":
        manifest["calibration"]["temperature"] = value
    elif place == "largest_weight":
        manifest["quantization"]["largest_weight"] = value
    elif place == "tolerance":
        manifest["self_test"]["tolerance_logits"] = value
    elif place == "logit":
        manifest["golden"][0]["logits"][0] = value
    elif place == "image_size":
        manifest["image_size"]["height"] = value
    else:
        manifest[place] = value
    with_manifest(own_bundle, json.dumps(manifest))
    refused(own_bundle)


#: Numbers of ``trust``, each by the keys that lead to it, and those of ``ABSURD`` that are good there.
IN_TRUST: dict[tuple[str | int, ...], set[str]] = {
    ("alpha",): {"0.5"},
    ("set_thresholds", "glioma"): {"0", "-0.0", "0.5", "1e-320"},
    ("least_score",): {"0", "-0.0", "0.5", "1e-320"},
    ("target_accuracy",): {"0", "-0.0", "0.5", "1e-320"},
    ("fitted_on", "n"): set(),
    ("fitted_on", "source"): {'"1"'},
    ("fitted_on", "way"): set(),
    ("fitted_on", "groups", "glioma"): {"0"},
    ("scope",): {"null"},
    ("scope", "method"): set(),
    ("scope", "threshold"): {"0.5"},
    ("scope", "accepted"): {"0", "-0.0", "0.5", "1e-320"},
    ("scope", "scales", "mahalanobis"): {"0.5"},
    ("scope", "scales", "residual"): {"0.5"},
    ("scope", "fitted_on", "train"): {'"1"'},
    ("scope", "fitted_on", "n_train"): set(),
    ("scope", "fitted_on", "threshold"): {'"1"'},
    ("scope", "fitted_on", "n_threshold"): set(),
    ("scope", "arrays"): set(),
    ("scope", "arrays", 0): set(),
    ("scope", "arrays", 0, "name"): set(),
    ("scope", "arrays", 0, "dtype"): set(),
    ("scope", "arrays", 0, "shape"): set(),
    ("scope", "arrays", 0, "shape", 0): set(),
}


@pytest.fixture
def scoped(tmp_path: Path) -> Path:
    path = tmp_path / "scoped"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust()))
    return path


def with_trust(folder: Path, place: tuple[str | int, ...], value: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    holder = manifest["trust"]
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with_manifest(folder, json.dumps(manifest))


@pytest.mark.parametrize("place", IN_TRUST, ids=lambda place: ".".join(map(str, place)))
def test_in_what_decides_about_trust(scoped: Path, place: tuple[str | int, ...]) -> None:
    before = (scoped / "manifest.json").read_bytes()
    for number in ABSURD:
        if len(number) > 4300:  # json writes no such number
            continue
        with_trust(scoped, place, json.loads(number))
        if number in IN_TRUST[place] and place != ("scope",):
            load_bundle(scoped)
        else:  # null is good for the scope, but not beside scope.bin
            refused(scoped)
    (scoped / "manifest.json").write_bytes(before)
    load_bundle(scoped)


@pytest.mark.parametrize("place", IN_TRUST, ids=lambda place: ".".join(map(str, place)))
def test_nothing_may_be_missing_in_what_decides_about_trust(
    scoped: Path, place: tuple[str | int, ...]
) -> None:
    manifest = json.loads((scoped / "manifest.json").read_bytes())
    holder = manifest["trust"]
    for key in place[:-1]:
        holder = holder[key]
    del holder[place[-1]]
    with_manifest(scoped, json.dumps(manifest))
    assert refused(scoped).exit_code == 32


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("set_thresholds",), {"glioma": 0.5}),
        (("set_thresholds", "other"), 0.5),
        (("fitted_on", "groups"), {"glioma": 5}),
        (("fitted_on", "groups", "other"), 5),
        (("fitted_on", "accepted"), 17),
        (("fitted_on", "right"), -1),
        (("fitted_on", "source"), "\x1b[2J"),
        (("fitted_on", "source"), ""),
        (("fitted_on", "source"), "a" * 501),
        (("scope", "fitted_on", "train"), "\n"),
        (("scope", "method"), "knn"),
        (("scope", "arrays", 4), {"name": "more", "dtype": "float32", "shape": [1]}),
    ],
)
def test_labels_texts_and_arrays_that_do_not_belong_there(
    scoped: Path, place: tuple[str | int, ...], value: object
) -> None:
    if place[-1] == 4:
        manifest = json.loads((scoped / "manifest.json").read_bytes())
        arrays = manifest["trust"]["scope"]["arrays"]
        with_trust(scoped, ("scope", "arrays"), [*arrays, value])
    else:
        with_trust(scoped, place, value)
    assert refused(scoped).exit_code == 32


@pytest.mark.parametrize("name", ["manifest.json", "config.json", "preprocessor_config.json"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": 1' + "0" * 5000 + "}",
        '{"a": NaN}',
        "{}",
        "null",
        "",
        '{"id2label": {"0": "a", "1": "\\ud800"}}',
        '{"a": 1, "a": 1}',
        "\ufeff{}",
    ],
    ids=lambda text: text[:20],
)
def test_in_any_form_of_json(own_bundle: Path, name: str, text: str) -> None:
    if name == "manifest.json":
        (own_bundle / name).write_bytes(text.encode())
    else:
        with_file(own_bundle, name, text.encode())
    refused(own_bundle)


def test_a_key_that_occurs_twice(own_bundle: Path) -> None:
    """Readers differ in which of the two counts."""
    for name, key in (
        ("config.json", b'"model_type"'),
        ("preprocessor_config.json", b'"resample"'),
    ):
        good = (own_bundle / name).read_bytes()
        with_file(own_bundle, name, good.replace(key, key + b": 1, " + key))
        assert refused(own_bundle).exit_code == 32
        with_file(own_bundle, name, good)
    load_bundle(own_bundle)


@pytest.mark.parametrize(
    "labels",
    [["\x1b[2J", "b", "c", "d"], ["", "b", "c", "d"], ["a" * 201, "b", "c", "d"], [1, 2, 3, 4]],
)
def test_labels_that_could_not_be_shown(own_bundle: Path, labels: list[Any]) -> None:
    manifest = json.loads((own_bundle / "manifest.json").read_bytes())
    with_manifest(own_bundle, json.dumps({**manifest, "labels": labels}))
    assert refused(own_bundle).exit_code == 32


@pytest.mark.parametrize(
    "text", ['{"labels": 1' + "0" * 400 + "}", "[" * 100_000, '{"labels": [{}]}']
)
def test_in_the_metadata_of_the_graph(tmp_path: Path, text: str) -> None:
    model = tiny_model(metadata={METADATA_KEY: text}).SerializeToString()
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "new", bundle_files(model=model), manifest_body())


@pytest.mark.parametrize("value", [[], {"tolerance_logits": 10**400}, 7])
def test_a_self_test_in_schema_1_does_no_harm(own_bundle: Path, value: object) -> None:
    as_schema_1(own_bundle)
    manifest = json.loads((own_bundle / "manifest.json").read_bytes())
    with_manifest(own_bundle, canonical_json({**manifest, "self_test": value}).decode())
    if isinstance(value, dict):
        Classifier.load(own_bundle)
    else:
        refused(own_bundle)


MakeBundle = Callable[..., Path]


@pytest.mark.parametrize("temperature", [1e-6, 1e6])
def test_extreme_temperatures_that_are_allowed_give_probabilities(
    make_bundle: MakeBundle, scan_path: Path, temperature: float
) -> None:
    prediction = Classifier.load(make_bundle(calibration={"temperature": temperature})).predict(
        scan_path
    )
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
