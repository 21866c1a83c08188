"""R11: kill -9 in training, and a run that goes on."""

import functools
import hashlib
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability.campaign import Broken, Campaign, Subject
from reliability.kills.children import Ended, be_watched, missing_strace, run_child

__all__ = ["CAMPAIGN"]

_EPOCHS = 3
#: 12 images of the train part, 4 a step.
_STEPS = 3 * _EPOCHS

#: With this seed trial 0, which is the one of CI, is killed in its third epoch.
_FIRST = 8

#: Calls that a state is written with.
_CALLS = ("write", "openat", "rename", "fsync", "close", "unlink", "mkdir", "unlinkat", "rmdir")


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    train: Callable[[Path, bool], object]
    digest: str


def _prepare(folder: Path, *, restores: bool = True) -> _Prepared:
    """Draw phantoms, and train once without a kill."""
    import torch

    from train.data.layouts import load_samples
    from train.loop import resumable_trainer, training
    from train.phantoms import write_phantoms
    from train.recipe import Augmentation, Recipe

    torch.set_num_threads(1)  # sums depend on their number, and a fork has none of its parent's
    os.environ["OMP_NUM_THREADS"] = "1"
    write_phantoms(folder / "data", per_class=5, seed=3, size=64)
    samples = load_samples(folder / "data", manifest=folder / "data" / "manifest.csv")
    recipe = Recipe(
        name="killed",
        epochs=_EPOCHS,
        batch_size=4,
        learning_rate=2e-3,
        weight_decay=0.05,
        schedule="cosine",
        image_size=32,
        balance_classes=True,
        ema_decay=0.9,
        ema_every=2,
        seed=7,
        augmentation=Augmentation(rotation_degrees=20, horizontal_flip=0.5, noise=0.05, erase=0.3),
    )

    def train(run: Path, resume: bool) -> None:
        if not restores:
            resumable_trainer.load_random_state = lambda _folder: None
        training.train_model(
            "cvt_test",
            samples,
            recipe,
            run,
            cache_folder=folder / "cache",
            report_to="none",
            resume=resume,
        )

    ended = run_child(lambda: train(folder / "unbroken", False))
    if ended.status:
        raise RuntimeError(f"training does not work here: {ended.said[-400:]}")
    return _Prepared(train=train, digest=_digest(folder / "unbroken"))


def _trial(prepared: _Prepared, number: int, folder: Path) -> str:
    """Kill a run once or twice, then let it end; its last state and its result must be those of the unbroken one."""
    draw = random.Random(number + _FIRST)  # noqa: S311 -- an attack, no secret
    run = folder / "run"
    words = []
    for _ in range(1 + (number % 3 == 2)):
        ended, where = _killed(prepared, draw, run)
        if ended.status == 0:
            words.append("after its end")
            break
        if ended.status != -signal.SIGKILL:
            raise Broken(f"the run ended with {ended.status}: {ended.said[-200:]}")
        words.append(where)
    resumed = run_child(lambda: prepared.train(run, (run / "run.json").is_file()))
    if resumed.status:
        raise Broken(f"the resumed run ended with {resumed.status}: {resumed.said[-200:]}")
    if _digest(run) != prepared.digest:
        raise Broken(f"other weights than those of the unbroken run (killed {words[0]})")
    stray = [path.name for path in run.rglob(".*")]
    if stray:
        raise Broken("a temporary file is left in the run's folder")
    return f"killed {words[0]}" if len(words) == 1 else "killed twice"


def _killed(prepared: _Prepared, draw: random.Random, run: Path) -> tuple[Ended, str]:
    resume = (run / "run.json").is_file()
    if draw.random() < 0.5:
        step = draw.randint(1, _STEPS)
        return run_child(lambda: _with_kill(prepared, run, resume, step)), "in a step"
    save = draw.randint(1, _EPOCHS)
    inject = f"{draw.choice(_CALLS)}:signal=KILL:when={draw.randint(1, 12)}"
    work = functools.partial(_watched_from_save, prepared, run, resume, save)
    return run_child(work, inject=[inject], late=True), "while its state was written"


def _with_kill(prepared: _Prepared, run: Path, resume: bool, step: int) -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    register_optimizer_step_post_hook(count)
    prepared.train(run, resume)


def _watched_from_save(prepared: _Prepared, run: Path, resume: bool, save: int) -> None:
    from train.loop.resumable_trainer import ResumableTrainer

    usual = ResumableTrainer._save_checkpoint
    done = 0

    def counted(self: Any, *arguments: Any) -> None:
        nonlocal done
        done += 1
        if done == save:
            be_watched()
        usual(self, *arguments)

    ResumableTrainer._save_checkpoint = counted  # type: ignore[method-assign]
    prepared.train(run, resume)


def _digest(run: Path) -> str:
    """Return the digest of the finished weights and of the last epoch's."""
    last = max(run.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    files = [run / "checkpoint" / "model.safetensors", *sorted(last.glob("*.safetensors"))]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


CAMPAIGN = Campaign(
    id="R11",
    title="Killed training",
    promise="A run that is killed at any moment and resumed ends with the weights of an unbroken run, bit for bit.",
    attack="kills training with kill -9 after a drawn step, or before a drawn system call while its state is written, "
    "once or twice, and resumes it",
    unit="killed runs",
    subjects={
        "ours": Subject(
            trial=_trial, prepare=_prepare, what="`train.loop` on phantoms, three epochs"
        ),
        "control": Subject(
            trial=_trial,
            prepare=functools.partial(_prepare, restores=False),
            what="the state of the random generators is not restored",
        ),
    },
    ci={"ours": 0, "control": 0},
    full={"ours": 200, "control": 20},
    limit_s=600,
    prepare_s=600,
    chunk=2,
    missing=missing_strace,
    control_share=0.2,
)
