from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from report_runs import history

from train.plots import RunCurves, plot_epochs


def test_phases_before_the_classifier_stand_apart() -> None:
    entries: list[dict[str, Any]] = [
        {"phase": "layer 1", "epoch": 1.0, "loss": 0.9},
        {"phase": "layer 1", "epoch": 2.0, "loss": 0.8},
        {"phase": "layer 2", "epoch": 1.0, "loss": 0.7},
        *({"phase": "classifier", **entry} for entry in history()),
        {"phase": "fine-tuning", "epoch": 1.0, "eval_accuracy": 0.75},
    ]
    curves = RunCurves.of("sae", entries)
    assert [(entry["epoch"], entry["loss"]) for entry in curves.pretraining] == [
        (1, 0.9),
        (2, 0.8),
        (3, 0.7),
    ]
    assert curves.epochs == 3, "the fine-tuning counts on"
    assert curves.best == (2, 0.75), "the first of equals"
    assert RunCurves.of("nothing", []).best is None
    assert RunCurves.of("losses only", [{"epoch": 1.0, "loss": 2.0}]).best is None


@pytest.mark.parametrize("count", [1, 6])
def test_curves_of_one_run_and_of_six_are_drawn(count: int, tmp_path: Path) -> None:
    curves = [RunCurves.of(f"run $ {number}", history()) for number in range(count)]
    plot_epochs([*curves, RunCurves.of("no history", [])], tmp_path / "epochs.png")
    with Image.open(tmp_path / "epochs.png") as opened:
        opened.load()
        assert opened.height > opened.width > 500
