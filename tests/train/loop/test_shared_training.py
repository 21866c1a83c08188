"""Two processes train the model of one process: weights, validation, history, and runs resumed by another number.

In float64: what is left of a difference is then a fault, and not the order of sums. In float32, training magnifies the
last digits of the first steps (docs/training.md has figures).
"""

import dataclasses
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from double_precision import train_in_double
from masked_phantoms import write_masked_phantoms
from own_process import preloaded
from safetensors.torch import load_file
from trained_together import all_well, start_together

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.data.samples import Sample
from train.loop.training import train_model
from train.models import create_model
from train.recipe import (
    Augmentation,
    Counterfactuals,
    Distillation,
    MaskGuidance,
    Mixing,
    Recipe,
    read_recipe,
)

#: Everything that goes across a batch, and every companion of a model.
EVERYTHING = Recipe(
    name="everything",
    epochs=2,
    batch_size=6,  # of 20 images: the last batch has two
    learning_rate=1e-3,
    weight_decay=0.05,
    warmup_ratio=0.1,
    schedule="cosine",
    label_smoothing=0.05,
    image_size=32,
    image_sizes=((24, 0.4), (32, 0.6)),
    balance_classes=True,
    bf16=False,
    ema_decay=0.9,
    ema_every=2,
    average_last=2,
    seed=7,
    augmentation=Augmentation(
        rotation_degrees=20, horizontal_flip=0.5, noise=0.05, blur=0.3, jpeg=0.3
    ),
    counterfactual=Counterfactuals(removed=0.2, harmless=0.2),
    mixing=Mixing(mixup_alpha=0.4, cutmix_alpha=1.0, probability=0.5, until=0.9),
    mask=MaskGuidance(weight=0.3),
    distillation=Distillation(feature_weight=1.0),
)

#: Sizes of models that would take seconds a step.
SMALL = {
    "cvt-slim": {"widths": [16, 24, 32, 48]},
    "sae": {"widths": [24, 12], "evidence_grid": 4},
    "vit": {"patch_size": 8, "dim": 32, "depth": 2, "num_heads": 2},
    "vit-base": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "patch_size": 8,
    },
}

#: Of weights that are about 0.1, after a few steps: float64 has 16 digits, and training magnifies the last ones.
TOLERANCE = 1e-9

Start = Callable[..., list[ForkServerProcess]]


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return preloaded("trained_together", "double_precision")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    torch.manual_seed(3)
    save_checkpoint(
        folder / "teacher" / "checkpoint",
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    return folder


@pytest.fixture(scope="module")
def samples(shared: Path) -> list[Sample]:
    """20 images with masks to train on, 20 to validate with."""
    drawn = write_masked_phantoms(shared / "set", each=5)
    return [dataclasses.replace(x, split=x.split.replace("test", "val")) for x in drawn]


@pytest.fixture(scope="module")
def start(context: ForkServerContext, shared: Path, samples: list[Sample]) -> Start:
    def start(
        count: int, run: Path, recipe: Recipe, model: str = "cvt_test", **options: Any
    ) -> list[ForkServerProcess]:
        return start_together(
            *(context, count, train_in_double, model, samples, recipe, run),
            cache_folder=shared / "cache",
            report_to="none",
            **options,
        )

    return start


@pytest.fixture(scope="module")
def runs(start: Start, shared: Path) -> dict[int, Path]:
    """The same run by one and by two processes, with everything and a teacher."""
    runs = {count: shared / f"by-{count}" for count in (1, 2)}
    for count, run in runs.items():
        all_well(start(count, run, EVERYTHING, teachers=[shared / "teacher" / "checkpoint"]))
    return runs


def newest(run: Path) -> Path:
    steps = run.glob("checkpoint-*")
    return max(steps, key=lambda folder: int(folder.name.rpartition("-")[2]))


def furthest(one: Path, other: Path) -> float:
    """The largest difference of any number in two files of weights."""
    mine, others = load_file(one), load_file(other)
    assert set(mine) == set(others)
    return max((float((mine[name] - others[name]).abs().max()) for name in mine), default=0.0)


def saved_states(run: Path) -> list[Path]:
    return sorted(path.relative_to(run) for path in run.rglob("checkpoint-*/weights.safetensors"))


def losses(run: Path) -> list[float]:
    history = json.loads((run / "checkpoint" / "training.json").read_text())["history"]
    return [entry["loss"] if "loss" in entry else entry["eval_loss"] for entry in history]


def test_two_processes_end_with_the_weights_of_one(runs: dict[int, Path]) -> None:
    first, second = (newest(run) for run in runs.values())
    assert first.name == second.name == "checkpoint-8", "the batch is that of the recipe"
    names = {path.name for path in first.glob("*.safetensors")}
    assert {"weights.safetensors", "average.safetensors", "guide.safetensors"} < names
    assert [name for name in names if furthest(first / name, second / name) > TOLERANCE] == []


def test_the_random_numbers_go_on_as_those_of_one_process(runs: dict[int, Path]) -> None:
    first, second = (newest(run) / "random_state.safetensors" for run in runs.values())
    assert first.read_bytes() == second.read_bytes()


def test_each_image_is_validated_once(runs: dict[int, Path]) -> None:
    first, second = (
        json.loads((run / "checkpoint" / "training.json").read_text()) for run in runs.values()
    )
    assert losses(runs[1]) == pytest.approx(losses(runs[2]), abs=TOLERANCE)
    for key in ("best_val_accuracy", "late_average", "n_val"):
        assert first[key] == second[key]
    assert [entry.get("eval_accuracy") for entry in first["history"]] == [
        entry.get("eval_accuracy") for entry in second["history"]
    ]


def test_it_is_the_same_run_and_the_number_is_noted(runs: dict[int, Path]) -> None:
    requests = [(run / "run.json").read_bytes() for run in runs.values()]
    assert requests[0] == requests[1]
    for count, run in runs.items():
        training = json.loads((run / "checkpoint" / "training.json").read_text())
        assert training["processes"] == count
        left = sorted(path.name for path in run.iterdir() if "checkpoint-" not in path.name)
        assert left == ["checkpoint", "run.json"], "one process writes"


@pytest.mark.slow
def test_one_process_goes_on_with_a_run_of_two_that_was_killed(
    start: Start, shared: Path, runs: dict[int, Path]
) -> None:
    teacher = [shared / "teacher" / "checkpoint"]
    run = shared / "killed"
    processes = start(2, run, EVERYTHING, teachers=teacher)
    deadline = time.monotonic() + 120
    while not list(run.glob("checkpoint-*/COMPLETE")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    for process in processes:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join(60)
    assert not (run / "checkpoint").exists(), "it was killed before its end"
    shutil.copytree(run, shared / "again")
    for count, folder in ((1, run), (2, shared / "again")):
        all_well(start(count, folder, EVERYTHING, teachers=teacher, resume=True))
    by_one, by_two, unbroken = (
        newest(each) / "weights.safetensors" for each in (run, shared / "again", runs[2])
    )
    assert furthest(by_one, unbroken) < TOLERANCE
    assert by_two.read_bytes() == unbroken.read_bytes()


def test_a_batch_that_does_not_divide_is_refused_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, samples: list[Sample], tmp_path: Path
) -> None:
    monkeypatch.setattr("train.loop.training.process_count", lambda: 4)
    with pytest.raises(DataRefused, match="4 processes cannot share a batch_size of 6") as refused:
        train_model("cvt_test", samples, EVERYTHING, tmp_path / "run", cache_folder=tmp_path)
    assert "--batch-size" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    ["cvt-slim", "cvt13", "efficientnet-lite", "resnet18", "sae", "vit", "vit-base"],
)
def test_every_shipped_default_recipe_can_be_shared(start: Start, shared: Path, model: str) -> None:
    recipe = read_recipe(
        f"{model}-cpu",
        epochs=1,
        batch_size=10,
        image_size=32,
        model=SMALL.get(model),
        image_sizes=[],
        bf16=False,
    )
    short = dataclasses.replace(recipe.autoencoder, epochs=1, finetune_epochs=1)
    recipe = dataclasses.replace(recipe, autoencoder=short)
    runs = [shared / f"{model}-{count}" for count in (1, 2)]
    for count, run in enumerate(runs, start=1):
        all_well(start(count, run, recipe, model))
    states = saved_states(runs[0])
    assert states == saved_states(runs[1])
    assert [
        state for state in states if furthest(runs[0] / state, runs[1] / state) > TOLERANCE
    ] == []
    assert losses(runs[0]) == pytest.approx(losses(runs[1]), abs=TOLERANCE)
