import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import load_bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import QualityGateFailed
from edge_infer.preprocessing import PreprocessorConfig
from export import bundling
from export.cli import main
from export.int8 import calibration
from export.int8.variants import Variant
from train.checkpoint import load_checkpoint, save_checkpoint
from train.models import create_model

CONFIG = PreprocessorConfig(height=64, width=64)


@pytest.fixture(scope="module")
def data(
    tmp_path_factory: pytest.TempPathFactory,
    textures: Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]],
) -> Path:
    """Textures as a train/val/test tree."""
    folder = tmp_path_factory.mktemp("data") / "set"
    for seed, split in enumerate(("train", "val", "test")):
        grey, labels = textures(16, 30 + seed)
        for number, (image, label) in enumerate(zip(grey, labels, strict=True)):
            path = folder / split / LABELS[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calibration, "_CORRUPTED", 120)  # ten thousand take a while
    return tmp_path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_int8_of_a_data_set(checkpoint_folder: Path, data: Path, tmp_path: Path) -> None:
    code, out, err = run(
        *("--model", "cvt_test", "--int8", "--checkpoint", checkpoint_folder, "--data", data)
    )
    assert code == 0, err
    bundle = load_bundle(tmp_path / "bundles" / "cvt_test-int8")
    assert out.splitlines()[0].startswith("bundle: ")
    assert "try it: brain-infer --bundle" in out
    assert RESEARCH_USE_ONLY in out
    assert "as named" in err
    assert "agreement with FP32: 100.00 %" in err
    manifest = bundle.manifest
    assert manifest["quantization"]["calibration"]["n"] == 16
    assert manifest["gate"]["agreement"]["n"] == 16
    assert manifest["gate"]["source"] == "set"
    assert manifest["provenance"]["command"].startswith("brain-export")
    assert str(tmp_path) not in json.dumps(manifest)


def answers_of_fold(path: Path, seed: int) -> Path:
    """Twelve patients of each class, two images of each, as brain-train evaluate writes them."""
    generator = np.random.default_rng(seed)
    lines = ["name,group,label,predicted," + ",".join(f"logit_{label}" for label in LABELS)]
    for number in range(96):
        label = number % 4
        logits = 5 * np.eye(4)[label] + generator.normal(0, 1.5, 4)
        cells = ",".join(f"{value:.4f}" for value in logits)
        lines.append(f"{number}.png,p{seed}-{number % 48},{LABELS[label]},{LABELS[label]},{cells}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_answers_of_folds_give_temperature_and_sets(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    folds = [answers_of_fold(tmp_path / f"{seed}.csv", seed) for seed in (1, 2)]
    code, _, err = run(
        *("--model", "cvt_test", "--checkpoint", checkpoint_folder),
        *("--out-of-fold", folds[0], "--out-of-fold", folds[1]),
    )
    assert code == 0, err
    assert "out-of-fold answers: 1.csv, 2.csv, n 192" in err
    manifest = load_bundle(tmp_path / "bundles" / "cvt_test-fp32").manifest
    assert manifest["trust"]["fitted_on"]["way"] == "out-of-fold"
    assert manifest["trust"]["fitted_on"]["groups"] == dict.fromkeys(LABELS, 24)
    assert manifest["trust"]["scope"] is None
    assert manifest["calibration"]["temperature"] != 1


def test_the_scope_check_can_know_more_images_than_the_data_set(
    checkpoint_folder: Path, data: Path, tmp_path: Path
) -> None:
    paths = sorted([*(data / "train").rglob("*.png"), *(data / "test").rglob("*.png")])
    rows = ["dataset,path,label,proposed_split"]
    rows += [f"elsewhere,{path},{path.parent.name},train" for path in paths]
    (tmp_path / "learnt.csv").write_text("\n".join(rows) + "\n")
    code, _, err = run(
        *("--model", "cvt_test", "--checkpoint", checkpoint_folder, "--data", data),
        *("--scope-manifest", tmp_path / "learnt.csv"),
    )
    assert code == 0, err
    manifest = load_bundle(tmp_path / "bundles" / "cvt_test-fp32").manifest
    fitted_on = manifest["trust"]["scope"]["fitted_on"]
    assert fitted_on["train"].startswith("train part of elsewhere, one of each copy")
    assert fitted_on["n_train"] == 2 * (len(rows) - 1)
    assert fitted_on["n_threshold"] == 16


def written(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(["dataset,path,label,group,proposed_split", *rows]) + "\n")
    return path


def test_a_scope_check_that_knows_what_its_threshold_is_fitted_on_is_refused(
    checkpoint_folder: Path, data: Path, tmp_path: Path
) -> None:
    def rows(split: str, *, groups: str = "", link: bool = False) -> list[str]:
        paths = sorted((data / split).rglob("*.png"))
        shown = [other / path.relative_to(data) if link else path for path in paths]
        return [
            f"mine,{path},{path.parent.name},{groups and groups + str(number)},{{}}"
            for number, path in enumerate(shown)
        ]

    other = data / "link"  # the same files by another name
    other.symlink_to(data, target_is_directory=True)
    train = [row.format("train") for row in rows("train", groups="t")]
    val = [row.format("val") for row in rows("val", groups="v")]
    own = written(tmp_path / "own.csv", [*train, *val])
    by_file = [*train, rows("val", link=True)[0].format("train")]
    by_group = [*train, *(row.format("train") for row in rows("test", groups="v")[:3])]
    try:
        for known, said in (
            (by_file, "1 images and 0 groups"),
            (by_group, "0 images and 3 groups"),
        ):
            code, out, err = run(
                *("--model", "cvt_test", "--checkpoint", checkpoint_folder, "--data", data),
                *("--manifest", own, "--scope-manifest", written(tmp_path / "known.csv", known)),
            )
            assert (code, out) == (26, "")
            assert f"holds {said} of the validation part" in err
            assert not (tmp_path / "bundles").exists()
    finally:
        other.unlink()


def test_answers_beside_the_checkpoint_are_found_and_said(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "checkpoint"
    shutil.copytree(checkpoint_folder, own)
    answers_of_fold(own / "out_of_fold.csv", 1)
    code, _, err = run("--model", "cvt_test", "--checkpoint", own)
    assert code == 0, err
    assert "out-of-fold answers: out_of_fold.csv, n 96" in err
    (own / "out_of_fold.csv").write_text("group,label\n")
    code, out, err = run("--model", "cvt_test", "--checkpoint", own, "--output", "other")
    assert (code, out) == (26, "")
    assert "logit_glioma" in err
    assert not (tmp_path / "other").exists()


def test_efficientnet_lite_becomes_a_bundle_that_answers(data: Path, tmp_path: Path) -> None:
    model = create_model("efficientnet-lite", len(LABELS))
    save_checkpoint(
        tmp_path / "checkpoint",
        name="efficientnet-lite",
        model=model,
        preprocessor=CONFIG,
        training={"recipe": {"name": "tiny", "seed": 0}},
    )
    code, _, err = run("--model", "efficientnet-lite", "--checkpoint", "checkpoint")
    assert code == 0, err
    classifier = Classifier.load(tmp_path / "bundles" / "efficientnet-lite-fp32", self_test="full")
    evidence = classifier.predict(next((data / "test" / LABELS[0]).iterdir())).evidence
    assert evidence.shape == (len(LABELS), 8, 8)
    assert not evidence[LABELS.index("no_tumor")].any()


def test_fp32_is_the_default_and_the_newest_run_is_taken(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    loaded = load_checkpoint(checkpoint_folder)
    save_checkpoint(
        tmp_path / "runs" / "mine" / "checkpoint",
        name="cvt_test",
        model=loaded.model,
        preprocessor=loaded.preprocessor,
        training=loaded.training,
    )
    (tmp_path / "runs" / "mine" / "run.json").write_text('{"model": "cvt_test"}')
    evaluation = tmp_path / "metrics.json"
    figure = {"value": 0.5, "n": 8, "low": 0.2, "high": 0.8, "interval": "wilson"}
    evaluation.write_text(
        json.dumps(
            {
                "title": "cvt_test on eight images",
                "model": {"accuracy": figure, "per_class": {}},
                "baselines": {},
                "provenance": {"command": "brain-train evaluate"},
            }
        )
    )
    code, _, err = run("--model", "cvt_test", "--metrics", evaluation)
    assert code == 0, err
    assert "the newest run" in err
    bundle = load_bundle(tmp_path / "bundles" / "cvt_test-fp32")
    assert bundle.manifest["precision"] == "fp32"
    card = (bundle.path / "README.md").read_text()
    assert "### cvt_test on eight images" in card
    assert "| accuracy | 50.00 % | 20.0..80.0 % | 8 |" in card


def test_a_failed_gate_exits_with_86_and_leaves_the_older_bundle(
    checkpoint_folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "bundles" / "cvt_test-int8"
    older.mkdir(parents=True)
    (older / "model.onnx").write_bytes(b"older")

    # An exchange of the outputs' sign, as a quantization that is nothing like its original.
    def negated(_: object, graph: Any, *__: object, **___: object) -> Iterator[Variant]:
        import onnx

        spoilt = onnx.load_from_string(graph.SerializeToString())
        for node in spoilt.graph.node:
            for place, output in enumerate(node.output):
                if output == "logits":
                    node.output[place] = "unsigned_logits"
        spoilt.graph.node.append(onnx.helper.make_node("Neg", ["unsigned_logits"], ["logits"]))
        yield Variant(name="negated", description={"method": "none"}, graph=spoilt)

    monkeypatch.setattr(bundling, "quantized_variants", negated)
    code, out, err = run(
        *("--model", "cvt_test", "--int8", "--checkpoint", checkpoint_folder, "--data", data)
    )
    assert (code, out) == (86, "")
    assert "no INT8 model passed the gate (negated: agreement" in err
    assert "hint: " in err
    assert {path.name: path.read_bytes() for path in older.iterdir()} == {"model.onnx": b"older"}
    log = older.with_name("cvt_test-int8.gate.txt")
    assert sorted(older.parent.iterdir()) == [older, log], "and no temporary file"
    assert "FAILED: agreement" in log.read_text()
    assert "FAILED" not in err
    assert str(log.relative_to(tmp_path)) in err


def test_without_a_data_set_the_kit_is_taken_and_said(
    checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[calibration.ExportImages] = []

    def exported(*_: object, images: calibration.ExportImages, **__: object) -> Any:
        given.append(images)
        raise QualityGateFailed("seen enough", hint="none")

    monkeypatch.setattr(bundling, "export_bundle", exported)
    code, _, err = run("--model", "cvt_test", "--int8", "--checkpoint", checkpoint_folder)
    assert code == 86
    assert "calibrating on 192 and judging on 364 scans of the kit of BRISC 2025" in err
    (images,) = given
    assert not images.synthetic
    assert (len(images.calibration), len(images.gate)) == (192, 364)
    assert set(images.gate_labels) == set(range(len(LABELS)))


def test_a_wheel_has_no_kit_and_says_where_it_is(
    checkpoint_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "KIT", tmp_path / "kit")
    code, _, err = run("--model", "cvt_test", "--int8", "--checkpoint", checkpoint_folder)
    assert code == 20
    assert "not in the wheel" in err
    assert "--data" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "--model"),
        (["--model", "vgg"], 34, "'vgg'"),
        (["--model", "cvt_test"], 30, "brain-train --model cvt_test"),
        (["--model", "cvt_test", "--checkpoint", "none"], 30, "config.json is missing"),
        (["--model", "cvt_test", "--checkpoint", "x" * 300], 20, "be read (File name too long)"),
        (
            ["--model", "cvt_test", "--checkpoint", "CHECKPOINT", "--data", "x" * 300],
            20,
            "be read (File name too long)",
        ),
        (["--model", "resnet18", "--checkpoint", "CHECKPOINT"], 32, "is of cvt_test"),
        (["--model", "cvt_test", "--dataset", "x"], 2, "--manifest"),
        (["--model", "cvt_test", "--scope-manifest", "TEXT"], 2, "needs --data"),
        (
            ["--model", "cvt_test", "--checkpoint", "CHECKPOINT", "--metrics", "none.json"],
            20,
            "none.json",
        ),
        (
            ["--model", "cvt_test", "--checkpoint", "CHECKPOINT", "--metrics", "TEXT"],
            20,
            "not JSON",
        ),
        (["--model", "cvt_test", "--checkpoint", "CHECKPOINT", "--metrics", "OTHER"], 20, "title"),
        (["--model", "cvt_test", "--checkpoint", "CHECKPOINT", "--data", "none"], 20, "none"),
        (
            ["--model", "cvt_test", "--checkpoint", "CHECKPOINT", "--data", "TRAIN"],
            26,
            "brain-data",
        ),
    ],
)
def test_a_wrong_call_has_its_exit_code_and_says_why(
    checkpoint_folder: Path,
    data: Path,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "text.json").write_text("accuracy: high")
    (tmp_path / "other.json").write_text('{"model": {}}')
    named = {
        "CHECKPOINT": checkpoint_folder,
        "OTHER": tmp_path / "other.json",
        "TEXT": tmp_path / "text.json",
        "TRAIN": data / "train",
    }
    given, out, err = run(*(named.get(argument, argument) for argument in arguments))
    assert (given, out) == (code, ""), err
    assert said in err
    assert not (tmp_path / "bundles").exists()


def test_help_shows_its_example_on_a_line_of_its_own() -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "\n  Example:\n    brain-export --model cvt13 --int8 " in out


@pytest.mark.parametrize("output", ["full", "full/empty/..", "."])
def test_a_folder_with_other_things_in_it_is_left_alone(
    checkpoint_folder: Path, tmp_path: Path, output: str
) -> None:
    (tmp_path / "full" / "empty").mkdir(parents=True)
    (tmp_path / "full" / "mine.txt").write_text("precious")
    code, out, err = run(
        *("--model", "cvt_test", "--checkpoint", checkpoint_folder, "--output", output)
    )
    assert (code, out) == (40, "")
    assert "checkpoint: " not in err, "before any work"
    assert (tmp_path / "full" / "mine.txt").read_text() == "precious"


def test_an_empty_name_is_wrong_usage(checkpoint_folder: Path) -> None:
    code, _, err = run("--model", "cvt_test", "--checkpoint", checkpoint_folder, "--output", "")
    assert code == 2
    assert "the name is empty" in err


def test_what_went_wrong_first_is_what_is_said(
    checkpoint_folder: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    code, _, err = run(
        *("--model", "cvt_test", "--int8", "--quick", "--checkpoint", checkpoint_folder),
        *("--data", data, "--output", "file/bundle"),
    )
    assert code == 40
    assert "gate.txt" not in err.partition("error: ")[2]
