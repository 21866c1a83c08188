"""Phantoms, training, export and inference by the commands, each a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY

ROOT = Path(__file__).parents[2]

# Long enough that the model is sure of what it was taught: the gate refuses one that can hardly decide.
RECIPE = """
epochs = 12
batch_size = 8
learning_rate = 2e-3
weight_decay = 0.0
image_size = 32
"""


def run(folder: Path, module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=folder,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def done(folder: Path, module: str, *arguments: object) -> str:
    finished = run(folder, module, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert "Warning" not in finished.stderr, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "tiny.toml").write_text(RECIPE)
    done(
        folder,
        "train.commands.data",
        "phantoms",
        "phantoms",
        "--per-class",
        12,
        "--size",
        64,
        "--seed",
        5,
    )
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> str:
    return done(
        folder,
        "train.cli",
        *("--model", "cvt_test", "--data", "phantoms", "--manifest", "phantoms/manifest.csv"),
        *("--recipe", "tiny.toml"),
    )


@pytest.fixture(scope="module")
def exported(folder: Path, trained: str) -> str:
    assert trained
    return done(
        folder,
        "export.cli",
        *("--model", "cvt_test", "--int8", "--data", "phantoms"),
        *("--manifest", "phantoms/manifest.csv"),
        *("--metrics", "runs/cvt_test-tiny/evaluation/test/metrics.json"),
    )


@pytest.mark.slow
def test_training_leaves_a_checkpoint_a_curve_and_an_evaluation(folder: Path, trained: str) -> None:
    run = folder / "runs" / "cvt_test-tiny"
    assert trained.startswith("checkpoint: runs/cvt_test-tiny/checkpoint\n")
    assert "on phantoms, test part" in trained
    assert "nearest neighbour" in trained
    assert (run / "curve.png").stat().st_size > 1000
    for part in ("val", "test"):
        assert (run / "evaluation" / part / "predictions.csv").is_file()
    metrics = json.loads((run / "evaluation" / "test" / "metrics.json").read_text())
    assert metrics["model"]["n"] == 8
    assert list(run.glob("runs/**/events.out.tfevents.*")), "the TensorBoard log"
    training = json.loads((run / "checkpoint" / "training.json").read_text())
    assert training["n_train"] == 36
    assert len([entry for entry in training["history"] if "eval_accuracy" in entry]) == 12
    assert not [path for path in run.rglob("*") if path.suffix in (".bin", ".pt", ".pth", ".pkl")]


@pytest.mark.slow
def test_the_export_is_gated_and_its_card_shows_the_evaluation(folder: Path, exported: str) -> None:
    bundle = folder / "bundles" / "cvt_test-int8"
    assert exported.startswith("bundle: bundles/cvt_test-int8 (model.onnx ")
    assert exported.endswith(f"{RESEARCH_USE_ONLY}\n")
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["gate"]["agreement"]["value"] >= 0.99
    assert manifest["provenance"]["recipe"] == "tiny"
    assert manifest["provenance"]["data"] == "phantoms"
    assert "on phantoms, test part" in (bundle / "README.md").read_text()
    assert str(folder).encode() not in b"".join(path.read_bytes() for path in bundle.iterdir())


@pytest.mark.slow
def test_the_bundle_answers_as_the_evaluated_checkpoint_did(folder: Path, exported: str) -> None:
    assert exported
    out = done(
        folder, "edge_infer", "--json", "--bundle", "bundles/cvt_test-int8", "phantoms/test/glioma"
    )
    results = [json.loads(line) for line in out.splitlines()]
    assert len(results) == 2
    lines = (folder / "runs/cvt_test-tiny/evaluation/test/predictions.csv").read_text().splitlines()
    header = lines[0].split(",")
    predicted = {
        row["name"]: row
        for row in (dict(zip(header, line.split(","), strict=True)) for line in lines[1:])
    }
    for result in results:
        assert result["status"] == "ok"
        assert result["model"]["precision"] == "int8"
        assert set(result["probabilities"]) == set(LABELS)
        assert result["research_use_only"] == RESEARCH_USE_ONLY
        row = predicted[str(Path(result["source"]).relative_to("phantoms"))]
        for label in LABELS:
            # The same image, read and resized anew, through INT8: near to PyTorch's logits.
            assert abs(result["logits"][label] - float(row[f"logit_{label}"])) < 0.5


@pytest.mark.slow
def test_the_same_run_twice_is_refused(folder: Path, trained: str) -> None:
    assert trained
    again = run(
        folder,
        "train.cli",
        *("--model", "cvt_test", "--data", "phantoms", "--manifest", "phantoms/manifest.csv"),
        *("--recipe", "tiny.toml"),
    )
    assert (again.returncode, again.stdout) == (40, "")
    assert "holds a run already" in again.stderr
