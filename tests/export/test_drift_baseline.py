"""The baseline of a bundle: its own answers to images it has not learnt from, and nothing else changes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import Bundle, load_bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS
from edge_infer.drift.observing import MEASURES
from export.bundling import export_bundle
from export.cli import main
from export.drift_baseline import drift_of, with_drift
from export.int8.calibration import ExportImages
from train.checkpoint import Checkpoint

Textures = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, textures: Textures) -> list[Path]:
    folder = tmp_path_factory.mktemp("scans")
    paths = []
    for number, (image, label) in enumerate(zip(*textures(120, 70), strict=True)):
        path = folder / LABELS[label] / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def exported(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    """A bundle whose export knew the files of its 80 validation images, which are made out to be enough."""
    folder = tmp_path_factory.mktemp("exported")
    files = []
    for number, image in enumerate(images.gate.grey):
        files.append(folder / f"{number:03}.png")
        Image.fromarray(image).save(files[-1])
    assert images.trust is not None
    trust = replace(images.trust, gate_sources=tuple(files))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("export.drift_baseline.LEAST_REFERENCE", 80)
        return export_bundle(
            checkpoint,
            folder / "bundle",
            precision="fp32",
            images=replace(images, trust=trust),
            metrics={},
            command="brain-export",
        ).bundle


@pytest.fixture(scope="module")
def old(exported: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return with_drift(exported, tmp_path_factory.mktemp("old") / "bundle", None)


@pytest.fixture(scope="module")
def drift(old: Bundle, scans: list[Path]) -> dict[str, Any]:
    found = drift_of(old, scans, groups=[""] * len(scans), source="textures")
    assert found is not None
    return found


def test_the_baseline_is_what_the_bundle_answers(
    old: Bundle, scans: list[Path], drift: dict[str, Any]
) -> None:
    answers = list(Classifier(old).predict_many(scans))
    counts = drift["parts"][0]["shares"]
    for label in LABELS:
        assert counts["label"]["counts"][label] == sum(one.label == label for one in answers)
    accepted = sum(one.is_accepted for one in answers)
    assert counts["decision"]["counts"].get("accept", 0) == accepted
    assert set(drift["measures"]) == set(MEASURES)
    assert drift["fitted_on"] == {"source": "textures", "n": 120, "groups": 120}


def test_nothing_but_the_baseline_and_the_digest_changes(
    old: Bundle, drift: dict[str, Any], tmp_path: Path
) -> None:
    new = with_drift(old, tmp_path / "new", drift)
    assert new.baseline is not None
    assert new.baseline.n == 120
    changed = {
        name
        for name in {*old.manifest, *new.manifest}
        if old.manifest.get(name) != new.manifest.get(name)
    }
    assert changed == {"drift", "manifest_sha256"}
    for path in old.path.iterdir():
        if path.name != "manifest.json":
            assert (new.path / path.name).read_bytes() == path.read_bytes()
    again = with_drift(new, tmp_path / "again", None)
    assert again.manifest == old.manifest
    in_place = with_drift(again, again.path, drift)
    assert in_place.manifest == new.manifest


def test_fewer_than_100_images_make_no_baseline(old: Bundle, scans: list[Path]) -> None:
    assert drift_of(old, scans[:99], groups=[""] * 99, source="textures") is None


def test_an_export_with_files_of_validation_images_has_a_baseline(
    exported: Bundle, old: Bundle
) -> None:
    assert exported.baseline is not None
    assert exported.baseline.n == 80
    assert exported.baseline.source == "validation part of textures, one of each copy"
    assert old.baseline is None


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_bundle_that_exists_gets_one_of_the_validation_part(
    old: Bundle, scans: list[Path], tmp_path: Path
) -> None:
    root = scans[0].parents[1]
    lines = ["path,label,proposed_split,group"]
    lines += [
        f"{path.relative_to(root)},{path.parent.name},val,p{number // 2}"
        for number, path in enumerate(scans)
    ]
    table = root / "manifest.csv"
    table.write_text("\n".join(lines) + "\n")
    target = tmp_path / "new"
    options = ("--bundle", old.path, "--data", root, "--manifest", table)
    code, out, err = run(*options, "--drift", target)
    assert code == 0, err
    assert "baseline of 120 images of 60 patients" in out
    new = load_bundle(target)
    assert new.baseline is not None
    assert new.baseline.groups == 60
    assert (target / "model.onnx").read_bytes() == (old.path / "model.onnx").read_bytes()
    few = [
        line.replace(",val,", ",train,") if number > 60 else line
        for number, line in enumerate(lines)
    ]
    table.write_text("\n".join(few) + "\n")
    code, _, err = run(*options, "--drift", tmp_path / "few")
    assert code == 26
    assert "60 validation images" in err
    for wrong in (
        ("--bundle", old.path, "--drift", target),
        ("--model", "vit", "--data", root, "--drift", target),
        (*options, "--drift", target, "--end-to-end"),
    ):
        assert run(*wrong)[0] == 2
    assert json.loads((target / "manifest.json").read_bytes())["drift"]["fitted_on"]["n"] == 120
