"""A calibration set that is wrong is found out: by the gate, naming the class, before anything is written."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from export import bundling
from export.cli import main
from export.int8 import calibration
from export.int8.calibration import ExportImages
from train.checkpoint import Checkpoint

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def experiment() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "sabotaged_calibration", DOCS / "experiments" / "sabotaged_calibration.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def calibrated_only(experiment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without those that measure each image's own range, which no calibration set can spoil."""
    monkeypatch.setattr(bundling, "quantized_variants", experiment.calibrated_only)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("calibrated_only")
def test_a_sabotaged_calibration_ends_the_command_with_86_and_the_older_bundle_is_kept(
    experiment: ModuleType,
    checkpoint_folder: Path,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    common = ("--model", "cvt_test", "--checkpoint", checkpoint_folder, "--output", "bundle")
    code, _, err = run(*common, "--fp32")
    assert code == 0, err
    older = contents(tmp_path / "bundle")

    # Not files of a data set: flat images are copies of each other in all classes, which is refused before.
    spoilt = experiment.spoilt(images, "black")
    monkeypatch.setattr(calibration, "from_kit", lambda *_, **__: spoilt)
    code, out, err = run(*common, "--int8")
    assert code == 86
    assert out == ""
    assert "nothing was written" in err
    assert re.search(rf"({'|'.join(LABELS)}) loses [\d.]+ points of recall \(\d+ of n 20\)", err)
    assert contents(tmp_path / "bundle") == older
    assert sorted(path.name for path in tmp_path.iterdir() if "bundle" in path.name) in (
        ["bundle", "bundle.gate.txt"],
        [".bundle.lock", "bundle", "bundle.gate.txt"],
    )


@pytest.mark.slow
def test_the_experiment_finds_the_sabotage_and_passes_what_is_right(
    experiment: ModuleType, checkpoint: Checkpoint, images: ExportImages
) -> None:
    found = experiment.sabotaged(checkpoint, experiment.spoilt(images, "black"))
    assert (found["exit_code"], found["older_bundle_unharmed"]) == (86, True)
    assert len(found["tried"]) == 4  # each calibration
    for tried in found["tried"]:
        assert any(failure.split()[0].rstrip(":") in LABELS for failure in tried["failures"])
    sound = experiment.sabotaged(checkpoint, images)
    assert (sound["exit_code"], sound["older_bundle_unharmed"]) == (0, False)


def test_the_page_shows_what_was_measured(experiment: ModuleType) -> None:
    result = json.loads(experiment.RESULT.read_text(encoding="utf-8"))
    assert result["research_use_only"] == RESEARCH_USE_ONLY
    assert set(result["sabotages"]) == set(experiment.SABOTAGES)
    page = (DOCS / "gate.md").read_text(encoding="utf-8")
    assert experiment.table(result) in page
