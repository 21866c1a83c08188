import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from phantom_volumes import write_phantom_volumes
from PIL import Image
from sklearn.metrics import roc_auc_score
from tiny_bundle import bundle_files, manifest_body

from edge_infer.bundle import write_bundle
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import DataRefused, NoInputs
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.cli import main
from train.models import create_model
from train.volumes.cues import CUES
from train.volumes.text import volumes_text


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes") / "set"
    return write_phantom_volumes(folder, patients=5, slices=6, healthy=2)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("run") / "checkpoint"
    torch.manual_seed(0)
    save_checkpoint(
        path,
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["volumes", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def options(manifest: Path, folder: Path) -> tuple[object, ...]:
    return ("--manifest", manifest, "--cache", folder / "cache", "--output", folder / "out")


def test_the_command_measures_a_checkpoint_and_draws(
    checkpoint: Path, manifest: Path, tmp_path: Path
) -> None:
    code, out, _ = run(checkpoint, *options(manifest, tmp_path))
    assert code == 0
    result: dict[str, Any] = json.loads((tmp_path / "out" / "volumes.json").read_text())
    assert (result["kind"], result["research_use_only"]) == ("volumes", RESEARCH_USE_ONLY)
    assert list(result["sources"]) == ["mixed T1c", "healthy T1"]
    mixed = result["sources"]["mixed T1c"]
    assert (mixed["n"], mixed["patients"], mixed["volumes"]) == (30, 5, 5)
    assert set(mixed["baselines"]) == set(CUES)
    assert result["provenance"]["part"] == "all"
    assert str(tmp_path) not in json.dumps(result["provenance"]), "reports travel"
    assert volumes_text(result) in out
    assert "cvt_test checkpoint on healthy T1, mixed T1c" in out
    assert RESEARCH_USE_ONLY in out
    for name in ("volumes.png", "roc.png", "evidence.png"):
        with Image.open(tmp_path / "out" / name) as image:
            image.load()
            assert image.width > 500


def test_the_figures_recompute_from_the_table_of_slices(
    checkpoint: Path, manifest: Path, tmp_path: Path
) -> None:
    run(checkpoint, *options(manifest, tmp_path))
    result = json.loads((tmp_path / "out" / "volumes.json").read_text())
    with (tmp_path / "out" / "volumes.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "mixed T1c"]
    tumour = np.array([row["label"] != "no_tumor" for row in rows])
    scores = np.array([float(row["log_odds_of_tumour"]) for row in rows])
    model = result["sources"]["mixed T1c"]["model"]
    assert model["roc_auc"]["value"] == pytest.approx(roc_auc_score(tumour, scores), abs=0.01)
    inside = []
    for volume in sorted({row["volume"] for row in rows}):
        its = np.array([row["volume"] == volume for row in rows])
        inside.append(roc_auc_score(tumour[its], scores[its]))
    assert model["within_volumes"]["value"] == pytest.approx(np.mean(inside), abs=0.01)
    for row in rows:
        assert sum(float(row[f"p_{name}"]) for name in LABELS) == pytest.approx(1, abs=1e-5)


def test_the_command_measures_a_bundle_on_patients_that_training_left_out(
    manifest: Path, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle", bundle_files(), manifest_body())
    code, out, _ = run(
        *(tmp_path / "bundle", *options(manifest, tmp_path), "--dataset", "mixed"),
        *("--without-patient", "p0", "--without-patient", "p1", "--title", "Left out"),
    )
    assert code == 0
    assert out.startswith("Left out\n")
    result = json.loads((tmp_path / "out" / "volumes.json").read_text())
    assert result["sources"]["mixed T1c"]["patients"] == 3
    assert result["healthy_sources"] == {}


def test_healthy_heads_alone_have_no_curves(
    checkpoint: Path, manifest: Path, tmp_path: Path
) -> None:
    code, out, _ = run(checkpoint, *options(manifest, tmp_path), "--modality", "T1")
    assert code == 0
    assert "12 without" in out
    assert "AUROC, all slices" not in out
    assert not (tmp_path / "out" / "volumes.png").exists()
    assert not (tmp_path / "out" / "roc.png").exists()
    assert (tmp_path / "out" / "evidence.png").exists()


def test_a_patient_that_does_not_occur_and_a_bad_manifest_are_refused(
    checkpoint: Path, manifest: Path, tmp_path: Path
) -> None:
    code, out, err = run(checkpoint, *options(manifest, tmp_path), "--patient", "p99")
    assert (code, out) == (NoInputs.exit_code, "")
    assert "patient p99" in err
    bad = tmp_path / "bad.csv"
    bad.write_text("path\n")
    code, _, err = run(checkpoint, *options(bad, tmp_path))
    assert code == DataRefused.exit_code
    assert "docs/volumes.md" in err
    assert not (tmp_path / "out").exists()
