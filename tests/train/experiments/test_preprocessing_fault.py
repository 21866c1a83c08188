"""The experiment behind docs/preprocessing-fault.md: its page shows what it measured, and its command works."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.models import create_model

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def experiment(load_experiment: Callable[[str], ModuleType]) -> ModuleType:
    return load_experiment("preprocessing_fault")


def test_the_page_shows_what_was_measured(experiment: ModuleType) -> None:
    result = json.loads(experiment.RESULT.read_text(encoding="utf-8"))
    page = (DOCS / "preprocessing-fault.md").read_text(encoding="utf-8")
    assert experiment.accuracy_table(result) in page
    assert experiment.difference_table(result) in page
    assert experiment.standardization_table(result) in page
    assert result["command"] in page
    assert RESEARCH_USE_ONLY in page
    assert result["n"]["Testing"] == 394
    assert result["n"]["Testing without byte copies"] == 306
    assert result["n"]["Testing without copies"] == 135


@pytest.mark.slow
def test_the_command_runs_and_a_stopped_experiment_goes_on(
    experiment: ModuleType,
    phantom_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.manual_seed(1)
    save_checkpoint(
        tmp_path / "checkpoint",
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        preprocessor=PreprocessorConfig(height=48, width=48),
        training={},
    )
    output = tmp_path / "result.json"
    command = ["experiment", "--data", phantom_folder, "--cache", tmp_path / "cache"]
    command += ["--checkpoint", tmp_path / "checkpoint", "--epochs", 1, "--output", output]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--seeds", "1"])
    experiment.main()
    first = json.loads(output.read_text(encoding="utf-8"))
    arms = ["fault", "correct", "fault_standardized", "correct_standardized"]
    assert [run["arm"] for run in first["runs"]] == arms
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--seeds", "2"])
    experiment.main()
    second = json.loads(output.read_text(encoding="utf-8"))
    assert second["runs"][:4] == first["runs"]
    assert [run["seed"] for run in second["runs"]] == [0, 0, 0, 0, 1, 1, 1, 1]
    out = capsys.readouterr().out
    assert "fault 0" not in out, "what was done is not done again"
    assert experiment.accuracy_table(second) in out
    assert experiment.difference_table(second) in out
