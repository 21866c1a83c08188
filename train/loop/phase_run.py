"""One phase of a run: has its own optimizer and schedule, can be resumed, and is skipped once finished."""

import logging
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PrinterCallback, TrainingArguments

from edge_infer.classes import BRAIN, Classes
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.loop.distillation import Teachers
from train.loop.epoch_log import EpochLog
from train.loop.grey_batches import GreyImages
from train.loop.late_average import try_late_average
from train.loop.phases import Phase, train_only
from train.loop.resumable_trainer import newest_complete_checkpoint
from train.loop.trainer import BrainTrainer
from train.processes import first_process_first, is_first, process_count, process_number
from train.recipe import Recipe
from train.run_folder import CHECKPOINT

__all__ = ["OneDevice", "PhaseResult", "PhaseSetting", "run_phase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSetting:
    """What all phases of a run share.

    Attributes:
        name: The model's name.
        classes: What it learns to tell apart.
        recipe: Every number of the run.
        run: The run's folder.
        preprocessor: Size and scaling.
        teacher: The teacher, or None.
        datasets: Training and validation part.
        report_to: As for transformers.
        resume: Continue a stopped run.
    """

    name: str
    classes: Classes = BRAIN
    recipe: Recipe
    run: Path
    preprocessor: PreprocessorConfig
    teacher: Teachers | None
    datasets: tuple[GreyImages, GreyImages]
    report_to: str
    resume: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseResult:
    """The result of a phase.

    Attributes:
        best_val_accuracy: 0..1; minus infinity for a phase that does not train classes.
        history: Logged entries, in order; those of a named phase have its name.
        weights: The model's state after its best epoch, or the mean of its last ones if that is better.
        late_average: Fields of ``train.loop.late_average.LateAverage``; None if it was not asked for.
    """

    best_val_accuracy: float
    history: list[dict[str, Any]]
    weights: dict[str, Tensor]
    late_average: dict[str, Any] | None


def run_phase(model: nn.Module, phase: Phase, setting: PhaseSetting) -> PhaseResult:
    """Train one phase; the model ends with the weights of its best epoch.

    A named phase has a folder of its own inside the run; a resumed run skips it once its checkpoint is there.
    """
    folder = setting.run / phase.name if phase.name else setting.run
    finished = folder / CHECKPOINT
    if phase.name and setting.resume and finished.is_dir():
        return _finished(model, finished)
    train_only(model, phase)
    log = EpochLog(phase.name, phase.epochs)
    trainer = BrainTrainer(
        model,
        _arguments(phase, setting, folder),
        recipe=setting.recipe,
        layer=phase.layer,
        preprocessor=setting.preprocessor,
        teacher=setting.teacher,
        datasets=setting.datasets,
        compute_metrics=_accuracy if phase.layer is None else None,
        on_loss=log.note_loss,
        callbacks=[log],
    )
    trainer.remove_callback(PrinterCallback)  # EpochLog says it in words
    with first_process_first():  # it removes half-written ones
        newest = newest_complete_checkpoint(folder) if setting.resume else None
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    late = try_late_average(trainer)
    model.requires_grad_(True)
    named = {"phase": phase.name} if phase.name else {}
    best = late.val_accuracy if late is not None and late.kept else trainer.state.best_metric
    result = PhaseResult(
        best_val_accuracy=-math.inf if best is None or phase.layer is not None else best,
        history=[
            {**named, **entry}
            for entry in trainer.state.log_history
            if "eval_loss" in entry or "loss" in entry
        ],
        weights={key: value.detach().clone() for key, value in model.state_dict().items()},
        late_average=None if late is None else asdict(late),
    )
    if phase.name and is_first():
        save_checkpoint(
            finished,
            name=setting.name,
            model=model,
            classes=setting.classes,
            sizes=setting.recipe.model,
            preprocessor=setting.preprocessor,
            training={
                "best_val_accuracy": None if phase.layer is not None else result.best_val_accuracy,
                "history": result.history,
                "late_average": result.late_average,
            },
        )
    return result


def _finished(model: nn.Module, path: Path) -> PhaseResult:
    done = load_checkpoint(path)
    model.load_state_dict(done.model.state_dict())
    best = done.training["best_val_accuracy"]
    return PhaseResult(
        best_val_accuracy=-math.inf if best is None else best,
        history=done.training["history"],
        weights=done.model.state_dict(),
        late_average=done.training.get("late_average"),
    )


def _arguments(phase: Phase, setting: PhaseSetting, folder: Path) -> TrainingArguments:
    recipe = setting.recipe
    steps = math.ceil(setting.datasets[0].drawn / recipe.batch_size) * phase.epochs
    learns_classes = phase.layer is None
    if process_count() > 1:  # it would warn that it has not been told of the others
        logging.getLogger("transformers.training_args").setLevel(logging.ERROR)
    return OneDevice(
        output_dir=str(folder),
        num_train_epochs=phase.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=phase.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=round(steps * recipe.warmup_ratio),
        lr_scheduler_type=recipe.schedule,
        max_grad_norm=recipe.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=recipe.bf16,
        use_cpu=not torch.cuda.is_available(),
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="accuracy" if learns_classes else "loss",
        greater_is_better=learns_classes,
        prediction_loss_only=not learns_classes,
        report_to=setting.report_to if is_first() else "none",
        remove_unused_columns=False,  # the images' columns are read by compute_loss, not by forward
        label_names=["labels"],
        dataloader_pin_memory=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        disable_tqdm=not sys.stderr.isatty(),  # in a file a progress bar is one endless line
    )


class OneDevice(TrainingArguments):  # type: ignore[misc, unused-ignore] # untyped for mypy
    """One GPU, however many there are; of several processes, one that writes.

    On several GPUs, transformers would wrap the model in DataParallel, which hides its methods, and would multiply the
    recipe's batch. Of other processes it knows nothing (``train.processes``), but for who writes and logs.
    """

    @property
    def n_gpu(self) -> int:
        """How many GPUs are used."""
        return min(1, int(super().n_gpu))

    @property
    def process_index(self) -> int:
        """The number of this process; 0 writes."""
        return process_number()

    @property
    def local_process_index(self) -> int:
        """The same: one process writes, not one of each machine."""
        return process_number()


def _accuracy(prediction: Any) -> dict[str, float]:
    predicted = np.asarray(prediction.predictions).argmax(axis=1)
    return {"accuracy": float((predicted == prediction.label_ids).mean())}
