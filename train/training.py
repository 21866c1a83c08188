"""Train a model on cached pictures with the recipe's numbers, and write its best checkpoint."""

import dataclasses
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from transformers import TrainerCallback, TrainingArguments

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.grey_batches import GreyPictures
from train.manifest_csv import manifest_hash
from train.models import create_model
from train.pixel_cache import PixelCache
from train.pretrained import load_pretrained
from train.recipe import Recipe
from train.run_folder import CHECKPOINT, claim_run_folder
from train.sample_rows import part_rows
from train.samples import Sample
from train.trainer import BrainTrainer, newest_complete_checkpoint

__all__ = ["train_model"]

logger = logging.getLogger(__name__)


def train_model(
    name: str,
    samples: Sequence[Sample],
    recipe: Recipe,
    run: Path,
    *,
    cache_folder: Path,
    weights: str | None = None,
    teacher: Path | None = None,
    report_to: str = "tensorboard",
    resume: bool = False,
) -> Path:
    """Train one model.

    The best epoch by validation accuracy is kept. Killed at any moment and resumed, the run ends with the same weights
    as an unbroken one (same machine, same number of threads).

    Args:
        name: In ``train.models.MODELS``.
        samples: With the splits ``train`` and ``val``.
        recipe: Every number of the run.
        run: Folder for checkpoints, logs and the result.
        cache_folder: Where decoded pictures are kept.
        weights: Hub id or local folder of pretrained weights, or None to start from nothing.
        teacher: Checkpoint folder of a model that guides, or None.
        report_to: ``tensorboard``, ``wandb`` or ``none``.
        resume: Go on with a run that was stopped.

    Returns:
        The checkpoint folder inside the run.

    Raises:
        DataRefused: The train or val part is empty or lacks a class.
        CannotWrite: The folder holds another run.
    """
    preprocessor = PreprocessorConfig(height=recipe.image_size, width=recipe.image_size)
    request = {
        "model": name,
        "recipe": dataclasses.asdict(recipe),
        "data_sha256": manifest_hash(samples),
        "weights": weights,
        "teacher": None if teacher is None else teacher.parent.name,
    }
    claim_run_folder(run, request, resume=resume)
    train_rows = part_rows(samples, "train", one_of_each_copy=recipe.one_of_each_copy)
    val_rows = part_rows(samples, "val")
    pixels = PixelCache.build(samples, preprocessor, cache_folder).pixels
    datasets = (_pictures(pixels, samples, train_rows), _pictures(pixels, samples, val_rows))

    transformers.set_seed(recipe.seed)
    model = create_model(name, len(LABELS))
    if weights is not None:
        load_pretrained(model, weights)
    epochs = _EpochLog(recipe.epochs)
    trainer = BrainTrainer(
        model,
        _arguments(recipe, run, len(train_rows), report_to),
        recipe=recipe,
        preprocessor=preprocessor,
        teacher=None if teacher is None else _teacher(teacher, preprocessor),
        datasets=datasets,
        compute_metrics=_accuracy,
        callbacks=[epochs],
    )
    started = time.monotonic()
    newest = newest_complete_checkpoint(run) if resume else None
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    training = {
        **request,
        "data": ", ".join(sorted({sample.dataset or "unnamed" for sample in samples})),
        "best_val_accuracy": trainer.state.best_metric,
        "history": [
            entry
            for entry in trainer.state.log_history
            if "eval_accuracy" in entry or "loss" in entry
        ],
        "n_train": len(train_rows),
        "n_val": len(val_rows),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    save_checkpoint(
        run / CHECKPOINT, name=name, model=model, preprocessor=preprocessor, training=training
    )
    return run / CHECKPOINT


def _pictures(pixels: Any, samples: Sequence[Sample], rows: list[int]) -> GreyPictures:
    return GreyPictures(pixels, rows, [samples[index].label for index in rows])


def _teacher(path: Path, preprocessor: PreprocessorConfig) -> nn.Module:
    checkpoint = load_checkpoint(path)
    if checkpoint.preprocessor != preprocessor:
        # Convolutions take any size, and both see the very same pixel values; a changed size is worth knowing.
        logger.warning(
            "the teacher learnt at %d px, the student learns at %d px",
            checkpoint.preprocessor.height,
            preprocessor.height,
        )
    return checkpoint.model.requires_grad_(False)


def _arguments(recipe: Recipe, run: Path, train_pictures: int, report_to: str) -> TrainingArguments:
    steps = math.ceil(train_pictures / recipe.batch_size) * recipe.epochs
    return TrainingArguments(
        output_dir=str(run),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=recipe.learning_rate,
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
        metric_for_best_model="accuracy",
        greater_is_better=True,
        report_to=report_to,
        remove_unused_columns=False,  # the pictures' columns are read by compute_loss, not by forward
        label_names=["labels"],
        dataloader_pin_memory=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
    )


def _accuracy(prediction: Any) -> dict[str, float]:
    predicted = np.asarray(prediction.predictions).argmax(axis=1)
    return {"accuracy": float((predicted == prediction.label_ids).mean())}


class _EpochLog(TrainerCallback):  # type: ignore[misc, unused-ignore] # untyped for mypy
    """One line an epoch, for logs that nobody watches."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.loss = math.nan
        self.started = time.monotonic()

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """Remember the loss."""
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        """Say how far the run is."""
        seconds = time.monotonic() - self.started
        logger.info(
            "epoch %d of %d: loss %.3f, val accuracy %.2f %%, %.0f s",
            round(state.epoch),
            self.epochs,
            self.loss,
            100 * given["metrics"].get("eval_accuracy", math.nan),
            seconds,
        )
        self.started = time.monotonic()
