import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edge_infer.errors import MissingDependency
from train.cli import main
from train.loop import trackers

RECIPE = (
    "epochs = 1\nbatch_size = 14\nlearning_rate = 1e-3\nweight_decay = 0.0\n"
    "image_size = 32\nbf16 = false\n[model]\nwidths = [8]\nevidence_grid = 4\n"
    "[autoencoder]\nepochs = 1\n"
)


@pytest.fixture
def arguments(tmp_path: Path, phantom_folder: Path) -> list[str]:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return [
        *("--model", "sae", "--recipe", str(tmp_path / "tiny.toml")),
        *("--data", str(phantom_folder), "--manifest", str(phantom_folder / "manifest.csv")),
        *("--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "run")),
    ]


def test_tensorboard_gets_accuracies_and_the_images_of_the_evaluation(
    arguments: list[str], tmp_path: Path
) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    events = EventAccumulator(str(tmp_path / "run" / "runs" / "evaluation"))
    events.Reload()
    assert {"test/confusion", "test/roc", "test/reliability", "val/roc"} <= set(
        events.Tags()["images"]
    )
    assert {"test/accuracy", "val/macro_f1"} <= set(events.Tags()["scalars"])


def test_wandb_offline_writes_into_the_run_with_the_roc_curves(
    arguments: list[str], tmp_path: Path
) -> None:
    """A process of its own: wandb starts a service and keeps settings for the whole process."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WANDB")},
        "HOME": str(tmp_path / "home"),  # wandb keeps settings there
    }
    done = subprocess.run(
        [sys.executable, "-m", "train.cli", *arguments, "--report-to", "wandb-offline"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "wandb").exists(), "nothing beside the run"
    (log,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    content = log.read_bytes()
    assert b"test/roc_curve" in content
    assert b"eval/accuracy" in content
    assert list(log.parent.glob("files/media/images/test/roc_*.png"))


def test_wandb_that_is_not_installed_is_said_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingDependency, match="wandb is not installed") as refused:
        trackers.prepare_tracker("wandb", tmp_path)
    assert "brain-edge[wandb]" in refused.value.hint
