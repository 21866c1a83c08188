import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from train.data.samples import Sample
from train.loop.phases import phases_of, train_only
from train.loop.training import train_model
from train.models import create_model
from train.plots.history import class_history
from train.recipe import Augmentation, Autoencoder, Recipe
from train.report.finished_run import write_run_report

SAE = Recipe(
    name="tiny",
    epochs=1,
    batch_size=8,
    learning_rate=1e-2,
    weight_decay=0.01,
    image_size=32,
    keep_originals=True,
    augmentation=Augmentation(horizontal_flip=0.5, noise=0.05),
    autoencoder=Autoencoder(epochs=2, finetune_epochs=2, finetune_learning_rate=1e-3),
    model={"widths": [24, 12], "evidence_grid": 4},
)


def train(run: Path, samples: list[Sample], *, resume: bool = False) -> Path:
    cache = run.parent / "cache"
    return train_model(
        "sae", samples, SAE, run, cache_folder=cache, report_to="none", resume=resume
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, phantom_samples: list[Sample]) -> Path:
    return train(tmp_path_factory.mktemp("sae") / "run", phantom_samples).parent


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoint" / "model.safetensors")


def changed(before: Path, after: Path) -> set[str]:
    old, new = weights(before), weights(after)
    return {name.rpartition(".")[0] for name in new if not torch.equal(old[name], new[name])}


def test_layers_are_trained_one_by_one_then_the_classifier_then_all(run: Path) -> None:
    assert changed(run / "layer-1", run / "layer-2") == {"encoders.1", "decoders.1"}
    assert changed(run / "layer-2", run / "classifier") == {"classifier"}
    assert changed(run / "classifier", run / "finetune") == {
        "encoders.0",
        "encoders.1",
        "classifier",
    }


def test_the_better_of_frozen_and_fine_tuned_is_kept(run: Path) -> None:
    best = {
        phase: json.loads((run / phase / "checkpoint/training.json").read_text())[
            "best_val_accuracy"
        ]
        for phase in ("classifier", "finetune")
    }
    kept = max(best, key=lambda phase: best[phase])
    training = json.loads((run / "checkpoint/training.json").read_text())
    assert training["best_val_accuracy"] == best[kept]
    assert not changed(run / kept, run)


def test_each_phase_is_in_the_history_with_its_seconds_and_speed(run: Path) -> None:
    history = json.loads((run / "checkpoint/training.json").read_text())["history"]
    named = list(dict.fromkeys(entry["phase"] for entry in history))
    assert named == ["layer-1", "layer-2", "classifier", "finetune"]
    rebuilt = [
        entry["eval_loss"]
        for entry in history
        if entry["phase"] == "layer-1" and "eval_loss" in entry
    ]
    assert len(rebuilt) == 2
    assert rebuilt[1] < rebuilt[0], "the first layer learns to rebuild"
    for entry in history:
        if "eval_loss" in entry:
            # 28 images twice, eight a step, are seven steps; the seconds hold validation and saving too.
            assert entry["steps_per_second"] * entry["seconds"] > 7 * 0.99
    epochs = [entry["epoch"] for entry in class_history(history) if "eval_accuracy" in entry]
    assert epochs == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("stopped_in", ["layer-2", "classifier", "finetune"])
def test_a_run_stopped_in_any_phase_ends_with_the_same_weights(
    run: Path, stopped_in: str, tmp_path: Path, phantom_samples: list[Sample]
) -> None:
    """What a killed run leaves: complete phases, one complete epoch of the current phase, nothing after."""
    phases = ["layer-1", "layer-2", "classifier", "finetune"]
    (tmp_path / "run").mkdir()
    shutil.copy(run / "run.json", tmp_path / "run")
    for phase in phases[: phases.index(stopped_in) + 1]:
        shutil.copytree(run / phase, tmp_path / "run" / phase)
    shutil.rmtree(tmp_path / "run" / stopped_in / "checkpoint")
    newest = max(
        (tmp_path / "run" / stopped_in).glob("checkpoint-*"), key=lambda path: int(path.name[11:])
    )
    (newest / "COMPLETE").unlink()
    resumed = train(tmp_path / "run", phantom_samples, resume=True).parent
    assert not changed(run, resumed)
    before = json.loads((run / "checkpoint/training.json").read_text())
    after = json.loads((resumed / "checkpoint/training.json").read_text())
    assert [entry["epoch"] for entry in after["history"]] == [
        entry["epoch"] for entry in before["history"]
    ]


def test_the_report_shows_what_is_rebuilt_at_each_depth(
    run: Path, phantom_samples: list[Sample]
) -> None:
    table = write_run_report(
        run / "checkpoint", phantom_samples, run.parent / "cache", command="test"
    )
    assert "sae checkpoint" in table
    assert (run / "reconstructions.png").read_bytes().startswith(b"\x89PNG")
    assert (run / "curve.png").is_file()


def test_other_models_have_one_phase_of_all_weights() -> None:
    model = create_model("cvt_test", 4)
    (phase,) = phases_of(model, SAE)
    assert (phase.name, phase.epochs, phase.learning_rate) == ("", 1, 1e-2)
    train_only(model, phase)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_without_fine_tuning_the_encoders_stay_frozen() -> None:
    model = create_model("sae", 4, image_size=32, sizes=SAE.model)
    frozen = Recipe(name="x", epochs=1, batch_size=1, learning_rate=1, weight_decay=0)
    phases = phases_of(model, frozen)
    assert [phase.name for phase in phases] == ["layer-1", "layer-2", "classifier"]
    train_only(model, phases[-1])
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert learning == {"classifier.weight", "classifier.bias"}
