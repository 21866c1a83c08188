"""A run killed with kill -9 and resumed ends with the same weights as an uninterrupted one.

Each run is a process of its own, forked from a server that has imported torch once. Everything is tested with a plain
recipe and with one that uses everything: averages, mixing, masks, several sizes, all of the augmentation.
"""

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import Trainer

from edge_infer.contract import LABELS
from edge_infer.errors import CannotWrite
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.data.samples import Sample
from train.loop import resumable_trainer
from train.loop.resumable_trainer import ResumableTrainer, newest_complete_checkpoint
from train.loop.training import train_model
from train.models import create_model
from train.recipe import Augmentation, MaskGuidance, Mixing, Recipe

RECIPE = Recipe(
    name="plain",
    epochs=3,
    batch_size=4,  # of 28 images: a last batch of one has no variance to normalise with
    learning_rate=2e-3,
    weight_decay=0.05,
    warmup_ratio=0.1,
    schedule="cosine",
    label_smoothing=0.05,
    image_size=32,
    balance_classes=True,
    seed=7,
    augmentation=Augmentation(
        rotation_degrees=20, scale=(0.8, 1.2), horizontal_flip=0.5, noise=0.05, erase=0.3
    ),
)

EVERYTHING = dataclasses.replace(
    RECIPE,
    name="everything",
    image_sizes=((24, 0.4), (32, 0.6)),
    sample_copies=True,
    ema_decay=0.9,
    ema_every=2,
    average_last=2,
    augmentation=dataclasses.replace(
        RECIPE.augmentation,
        blur=0.3,
        gamma=0.3,
        quarter_turns=0.5,
        contrast_curve=0.5,
        non_monotone=0.3,
        bias_field=0.3,
        low_resolution=0.3,
        jpeg=0.3,
        frame=0.3,
    ),
    mixing=Mixing(mixup_alpha=0.4, cutmix_alpha=1.0, probability=0.5, until=0.9),
    mask=MaskGuidance(weight=0.3),
)

Run = Callable[..., ForkServerProcess]


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # sums depend on the number of threads
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["train.loop.training"])
    return context


@pytest.fixture(scope="module", params=[RECIPE, EVERYTHING], ids=lambda recipe: recipe.name)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    chosen: Recipe = request.param
    return chosen


@pytest.fixture(scope="module")
def shared(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, and room for the cache and for runs."""
    folder = tmp_path_factory.mktemp(recipe.name)
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
def samples(phantom_samples: list[Sample], recipe: Recipe, shared: Path) -> list[Sample]:
    """The phantoms in BRISC's folders: masks for the tumours of the train part, and perhaps one image twice."""
    masks = shared / "segmentation_task" / "train" / "masks"
    masks.mkdir(parents=True)
    square = np.zeros((64, 64), np.uint8)
    square[20:40, 8:30] = 255
    moved = []
    for sample in phantom_samples:
        place = shared / "classification_task" / sample.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(sample.source), place)
        moved.append(dataclasses.replace(sample, source=place))
        if sample.split == "train" and sample.class_name != "no_tumor":
            Image.fromarray(square).save(masks / f"{place.stem}.png")
    if not recipe.sample_copies:
        return moved
    again = moved[0].source
    assert isinstance(again, Path)
    twin = again.with_name("again.png")
    shutil.copy(again, twin)
    return [*moved, dataclasses.replace(moved[0], source=twin, name="again.png", is_copy=True)]


@pytest.fixture(scope="module")
def start(context: ForkServerContext, recipe: Recipe, shared: Path, samples: list[Sample]) -> Run:
    def start(run: Path, **options: Any) -> ForkServerProcess:
        process = context.Process(
            target=train_model,
            args=("cvt_test", samples, recipe, run),
            kwargs={
                "cache_folder": shared / "cache",
                "teachers": [shared / "teacher" / "checkpoint"],
                "report_to": "none",
                **options,
            },
        )
        process.start()
        return process

    return start


def finished(process: ForkServerProcess) -> None:
    process.join(600)
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def unbroken(start: Run, shared: Path) -> Path:
    run = shared / "unbroken"
    finished(start(run))
    return run


@pytest.fixture(scope="module")
def resumed(start: Run, shared: Path, unbroken: Path) -> Path:
    """Killed in its second epoch, moved to another folder, given half a checkpoint, resumed."""
    assert unbroken.is_dir()
    run = shared / "killed"
    process = start(run)
    deadline = time.monotonic() + 600
    while not list(run.glob("checkpoint-*/COMPLETE")):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (run / "checkpoint").exists(), "it was killed before its end"

    moved = run.rename(shared / "moved")
    half = moved / "checkpoint-9999"  # as if killed while writing: the newest by its number
    half.mkdir()
    (half / "weights.safetensors").write_bytes(b"\x00" * 100)
    (half / "trainer_state.json").write_text("{")
    finished(start(moved, resume=True))
    assert not half.exists()
    return moved


def newest(run: Path) -> Path:
    return max(run.glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1]))


def test_the_finished_weights_are_bit_for_bit_those_of_the_uninterrupted_run(
    unbroken: Path, resumed: Path
) -> None:
    files = [run / "checkpoint" / "model.safetensors" for run in (unbroken, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_last_epoch_is_the_same_too(unbroken: Path, resumed: Path, recipe: Recipe) -> None:
    # The finished weights are those of the best epoch, which may be before the kill.
    # 28 images, 4 a step; what is a copy is drawn instead of its twin.
    assert newest(unbroken).name == newest(resumed).name == "checkpoint-21"
    names = {path.name for path in newest(unbroken).glob("*.safetensors")}
    averages = {"average", "late"} if recipe.ema_decay else set()
    expected = {"weights", "guide", "optimizer", "scheduler", "random_state"} | averages
    assert names == {f"{name}.safetensors" for name in expected}
    for name in names:
        first, second = (load_file(newest(run) / name) for run in (unbroken, resumed))
        assert set(first) == set(second)
        assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_the_run_learnt_and_its_history_is_whole(
    unbroken: Path, resumed: Path, recipe: Recipe
) -> None:
    histories = [
        load_checkpoint(run / "checkpoint").training["history"] for run in (unbroken, resumed)
    ]
    for history in histories:
        assert [entry["epoch"] for entry in history if "eval_accuracy" in entry] == [1, 2, 3]
    losses = [[entry["loss"] for entry in history if "loss" in entry] for history in histories]
    assert losses[0] == losses[1]
    if recipe is RECIPE:  # with everything, three epochs of 28 images are too few to show it
        assert losses[0][2] < losses[0][0]
    torch.manual_seed(RECIPE.seed)
    first = create_model("cvt_test", len(LABELS)).state_dict()
    last = load_checkpoint(unbroken / "checkpoint").model.state_dict()
    assert any(not torch.equal(first[name], last[name]) for name in first)


def test_averages_are_what_is_kept_and_the_late_one_is_noted(
    unbroken: Path, resumed: Path, recipe: Recipe
) -> None:
    training, again = (load_checkpoint(run / "checkpoint").training for run in (unbroken, resumed))
    assert training["late_average"] == again["late_average"]
    finished = load_file(unbroken / "checkpoint" / "model.safetensors")
    state = json.loads((newest(unbroken) / "trainer_state.json").read_text())
    best = unbroken / Path(state["best_model_checkpoint"]).name
    if not recipe.ema_decay:
        assert training["late_average"] is None
        assert torch.equal(
            finished["classifier.weight"],
            load_file(best / "weights.safetensors")["/classifier.weight"],
        )
        return
    late = training["late_average"]
    assert late["epochs"] == 2
    at = newest(unbroken) / "late" if late["kept"] else best / "average"
    kept = load_file(at.with_suffix(".safetensors"))
    assert torch.equal(finished["classifier.weight"], kept["/module.classifier.weight"])
    raw = load_file(best / "weights.safetensors")["/classifier.weight"]
    assert not torch.equal(finished["classifier.weight"], raw)


def test_a_finished_run_holds_no_pickle(unbroken: Path) -> None:
    files = [path for path in unbroken.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ""}
    assert {path.name for path in files if not path.suffix} == {"COMPLETE"}
    for path in files:
        start = path.read_bytes()[:4]
        assert not start.startswith((b"\x80", b"PK")), (
            f"{path.name} looks like pickle or torch's zip"
        )


def test_only_the_newest_and_the_best_checkpoint_are_kept(unbroken: Path) -> None:
    folders = list(unbroken.glob("checkpoint-*"))
    assert 1 <= len(folders) <= 2
    state = json.loads((newest(unbroken) / "trainer_state.json").read_text())
    assert {folder.name for folder in folders} == {
        newest(unbroken).name,
        Path(state["best_model_checkpoint"]).name,
    }


def test_resuming_a_finished_run_changes_nothing_wherever_it_lies_now(
    start: Run, unbroken: Path, shared: Path
) -> None:
    before = (unbroken / "checkpoint" / "model.safetensors").read_bytes()
    elsewhere = unbroken.rename(
        shared / "elsewhere"
    )  # its state names checkpoints by their old path
    try:
        finished(start(elsewhere, resume=True))
        assert (elsewhere / "checkpoint" / "model.safetensors").read_bytes() == before
    finally:
        elsewhere.rename(unbroken)


def test_other_settings_are_refused_before_anything_is_done(
    unbroken: Path, shared: Path, recipe: Recipe, samples: list[Sample]
) -> None:
    before = sorted(path.name for path in unbroken.rglob("*"))
    changed = dataclasses.replace(recipe, learning_rate=1e-3)
    with pytest.raises(CannotWrite, match="other settings: recipe, teacher;") as refused:
        train_model(
            "cvt_test",
            samples,
            changed,
            unbroken,
            cache_folder=shared / "cache",
            resume=True,
        )
    assert refused.value.exit_code == 40
    with pytest.raises(CannotWrite, match="other settings: data_sha256;"):
        train_model(
            "cvt_test",
            samples[1:],
            recipe,
            unbroken,
            cache_folder=shared / "cache",
            teachers=[shared / "teacher" / "checkpoint"],
            resume=True,
        )
    assert sorted(path.name for path in unbroken.rglob("*")) == before


def test_the_newest_whole_checkpoint_counts_and_half_ones_are_removed(tmp_path: Path) -> None:
    assert newest_complete_checkpoint(tmp_path) is None
    for step, complete in ((9, True), (10, True), (200, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        state = '{"best_model_checkpoint": "runs/mine/checkpoint-9"}'
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
        if complete:
            (tmp_path / f"checkpoint-{step}" / "COMPLETE").touch()
    assert newest_complete_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-200").exists()
    state = json.loads((tmp_path / "checkpoint-10" / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(tmp_path / "checkpoint-9")


def test_older_states_go_only_once_the_newest_ones_name_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoint-1").mkdir()
    newest_state = tmp_path / "checkpoint-2"
    flushed = []

    def flush(folder: Path) -> None:
        assert (tmp_path / "checkpoint-1").is_dir()
        assert (newest_state / "COMPLETE").is_file()
        flushed.append(folder)

    monkeypatch.setattr(resumable_trainer, "flush_folder", flush)
    monkeypatch.setattr(Trainer, "_save_checkpoint", lambda *_: newest_state.mkdir())
    trainer = ResumableTrainer.__new__(ResumableTrainer)
    trainer.args = SimpleNamespace(output_dir=tmp_path)
    trainer.state = SimpleNamespace(global_step=2, best_model_checkpoint=None)
    trainer._save_checkpoint(None, None)
    assert flushed == [tmp_path]
    assert not (tmp_path / "checkpoint-1").exists()


def test_a_run_begun_before_a_key_existed_goes_on(unbroken: Path, start: Run) -> None:
    path = unbroken / "run.json"
    request = json.loads(path.read_text())
    if request["recipe"]["name"] != "plain":
        pytest.skip("the plain recipe has only keys of old")
    for newer in ("ema_decay", "mixing", "image_sizes"):
        del request["recipe"][newer]
    del request["recipe"]["augmentation"]["jpeg"]
    path.write_text(json.dumps(request))
    finished(start(unbroken, resume=True))
