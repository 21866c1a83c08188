"""Writers of training: a checkpoint folder, and the state that a run resumes from."""

import hashlib
from pathlib import Path

import torch
from reliability.campaign import Broken
from reliability.kills.children import be_watched
from reliability.kills.writers import Writer
from torch import nn
from transformers import TrainingArguments

from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.loop.resumable_trainer import ResumableTrainer
from train.loop.torch_state import load_state
from train.models import create_model

__all__ = ["checkpoint", "saved_in_place", "training_state"]


def _model(seed: int) -> nn.Module:
    torch.set_num_threads(1)  # a fork has none of its parent's
    torch.manual_seed(seed)
    return create_model("cvt_test", 4)


def checkpoint(_kept: Path) -> Writer:
    """Write a finished checkpoint over another."""
    models = [_model(1), _model(2)]

    def save(folder: Path, which: int) -> None:
        save_checkpoint(
            folder / "checkpoint",
            name="cvt_test",
            model=models[which],
            preprocessor=PreprocessorConfig(height=64, width=64),
            training={"which": which},
        )

    return Writer(
        name="save_checkpoint",
        before=lambda folder: save(folder, 0),
        write=lambda folder: save(folder, 1),
        together=True,
        check=lambda folder, _ended: _loads(folder),
    )


def training_state(_kept: Path) -> Writer:
    """Write what a run resumes from, after its second epoch."""
    models = [nn.Linear(200, 200), nn.Linear(200, 200)]

    def save(folder: Path, step: int) -> None:
        torch.manual_seed(step)
        arguments = TrainingArguments(
            output_dir=str(folder / "run"), use_cpu=True, report_to="none", save_strategy="epoch"
        )
        trainer = ResumableTrainer(model=models[step - 1], args=arguments)
        trainer.companions = {}
        trainer.create_optimizer_and_scheduler(10)
        trainer.state.global_step = step
        be_watched()
        trainer._save_checkpoint(trainer.model, None)

    return Writer(
        name="a run's state",
        before=lambda folder: save(folder, 1),
        write=lambda folder: save(folder, 2),
        statuses=frozenset({20, 40}),
        state=_resumable,
        late=True,
    )


def saved_in_place(_kept: Path) -> Writer:
    """``torch.save`` over an older file."""
    states = [_model(1).state_dict(), _model(2).state_dict()]
    return Writer(
        name="torch.save",
        before=lambda folder: torch.save(states[0], folder / "model.pt"),
        write=lambda folder: torch.save(states[1], folder / "model.pt"),
        statuses=frozenset(),
    )


def _loads(folder: Path) -> None:
    load_checkpoint(folder / "checkpoint")


def _resumable(folder: Path) -> str:
    """Say which state a run resumes from; it must be a whole one."""
    run = folder / "run"
    found = [path for path in run.glob("checkpoint-*") if (path / "COMPLETE").is_file()]
    newest = max(found, key=lambda path: path.name, default=None)
    if newest is None:
        raise Broken("no state is left that a run could resume from")
    for name in ("weights", "optimizer", "scheduler", "random_state"):
        load_state(newest, name)
    weights = hashlib.sha256((newest / "weights.safetensors").read_bytes()).digest()
    if _WEIGHTS.setdefault(newest.name, weights) != weights:
        raise Broken("the state to resume from is not the one that was written")
    return "old" if newest.name.endswith("-1") else "new"


#: Of the first state of each name that was seen; an unbroken run comes first.
_WEIGHTS: dict[str, bytes] = {}
