"""Hugging Face's Trainer with three changes: no pickle, pictures varied on the batch, an optional teacher.

transformers writes optimizer, scheduler, random state and its own arguments with ``torch.save``, which is pickle. Here
they go through ``train.torch_state``. A checkpoint counts only once ``COMPLETE`` lies in it, written last and synced,
so that a run killed at any moment resumes from a whole one.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from transformers import Trainer, TrainingArguments

from edge_infer.atomic import write_bytes_atomically
from train.augmentation import augment
from train.distillation import Guide, distillation_loss
from train.grey_batches import pixel_values_from_grey
from train.recipe import Recipe
from train.torch_state import load_random_state, load_state, save_random_state, save_state

__all__ = ["BrainTrainer", "EpochSampler", "newest_complete_checkpoint"]

_COMPLETE = "COMPLETE"
_STATE = "trainer_state.json"


class EpochSampler(Sampler[int]):
    """A shuffled order that depends on seed and epoch alone, so a resumed run draws the same pictures.

    Args:
        labels: int64, (N,).
        seed: Of the recipe.
        balance: Draw each class equally often (with replacement within the smaller classes).
    """

    def __init__(self, labels: Tensor, *, seed: int, balance: bool) -> None:
        self.labels = labels
        self.seed = seed
        self.balance = balance
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; accelerate calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        if not self.balance:
            return iter(torch.randperm(len(self.labels), generator=generator).tolist())
        weights = 1.0 / torch.bincount(self.labels).clamp(min=1).double()
        drawn = torch.multinomial(
            weights[self.labels], len(self.labels), replacement=True, generator=generator
        )
        return iter(drawn.tolist())


class BrainTrainer(Trainer):
    """Train a model of ``train.models`` on cached grey pictures.

    Args:
        model: With the project's interface.
        arguments: transformers' own.
        recipe: Augmentation, distillation, label smoothing.
        layer: Of the stacked autoencoder, to be trained on its reconstruction; None to learn classes.
        preprocessor: For scaling pixel values as the runtime does.
        teacher: In evaluation mode, or None.
        datasets: Training and validation part.
        options: Passed on (callbacks, compute_metrics).
    """

    # transformers declares them as possibly None; once training they are not.
    model: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        *,
        recipe: Recipe,
        layer: int | None = None,
        preprocessor: Any,
        teacher: Any,
        datasets: tuple[Dataset[Any], Dataset[Any]],
        **options: Any,
    ) -> None:
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=datasets[0],
            eval_dataset=datasets[1],
            **options,
        )
        self.recipe = recipe
        self.layer = layer
        self.preprocessor = preprocessor
        self.teacher: Any = None if teacher is None else teacher.to(arguments.device)
        self.guide = (
            None
            if teacher is None or layer is not None or not recipe.distillation.feature_weight
            else Guide(model.feature_dim, teacher.feature_dim).to(arguments.device)
        )

    # --- the step -----------------------------------------------------------------------------------------------

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002 - the loss is a mean already
    ) -> Any:
        """Return the loss of a batch of grey uint8 pictures, (B, H, W), and optionally the logits."""
        labels = inputs["labels"]
        grey = inputs["grey"][:, None].float() / 255  # (B, 1, H, W)
        if self.layer is not None:
            views = self._augmented(grey, inputs["vary"]) if model.training else grey
            pixel_values = pixel_values_from_grey(views, self.preprocessor)
            with torch.autocast(grey.device.type, dtype=torch.bfloat16, enabled=self.recipe.bf16):
                loss = model.reconstruction_loss(pixel_values, self.layer)
            return (loss, {"loss": loss}) if return_outputs else loss
        if not model.training:
            logits = model(pixel_values_from_grey(grey, self.preprocessor)).logits.float()
            loss = F.cross_entropy(logits, labels)
            return (loss, {"loss": loss, "logits": logits}) if return_outputs else loss
        pixel_values = pixel_values_from_grey(
            self._augmented(grey, inputs["vary"]), self.preprocessor
        )
        # accelerate casts inside forward() only; the features are asked for directly.
        with torch.autocast(grey.device.type, dtype=torch.bfloat16, enabled=self.recipe.bf16):
            features = model.forward_features(pixel_values)
            logits = model.forward_head(features).logits
            loss = F.cross_entropy(
                logits.float(), labels, label_smoothing=self.recipe.label_smoothing
            )
            if self.teacher is not None:
                loss = self._with_teacher(loss, pixel_values, features, logits)
        return (loss, {"loss": loss, "logits": logits}) if return_outputs else loss

    def _augmented(self, grey: Tensor, vary: Tensor) -> Tensor:
        # Seeded by step: the same step sees the same views, resumed or not.
        generator = torch.Generator().manual_seed(
            self.recipe.seed * 1_000_003 + self.state.global_step
        )
        start = self.recipe.augmentation.strength_from
        strength = min(1.0, start + (1 - start) * 2 * self._progress())
        views = augment(grey, self.recipe.augmentation, generator, strength=strength)
        return torch.where(vary[:, None, None, None], views, grey)

    def _with_teacher(
        self, loss: Tensor, pixel_values: Tensor, features: Tensor, logits: Tensor
    ) -> Tensor:
        settings = self.recipe.distillation
        with torch.no_grad():
            teacher_features = self.teacher.forward_features(pixel_values)
            teacher_logits = self.teacher.forward_head(teacher_features).logits
        mixed = distillation_loss(logits, teacher_logits, loss, settings)
        fade = max(0.0, 1 - self._progress() / settings.feature_until)
        if fade == 0 or self.guide is None:
            return mixed
        guided: Tensor = self.guide(features, teacher_features)
        return mixed + settings.feature_weight * fade * guided

    def _progress(self) -> float:
        return self.state.global_step / max(1, self.state.max_steps)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        pictures: Any = train_dataset or self.train_dataset
        return EpochSampler(
            pictures.labels, seed=self.recipe.seed, balance=self.recipe.balance_classes
        )

    def create_optimizer(self, model: Any = None) -> Any:
        """Create AdamW; the guide's projection learns along."""
        optimizer = super().create_optimizer() if model is None else super().create_optimizer(model)
        if self.guide is not None and not getattr(self, "_guide_added", False):
            optimizer.add_param_group(
                {"params": list(self.guide.parameters()), "weight_decay": 0.0}
            )
            # Trainer zeroes the gradients of the model alone; the guide's would add up over the whole run.
            guide = self.guide
            optimizer.register_step_post_hook(lambda *_: guide.zero_grad())
            self._guide_added = True
        return optimizer

    # --- checkpoints without pickle -----------------------------------------------------------------------------

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None
    ) -> None:
        folder = Path(str(output_dir or self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_state(state_dict or self.model.state_dict(), folder, "weights")
        if self.guide is not None:
            save_state(self.guide.state_dict(), folder, "guide")

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        save_state(self.optimizer.state_dict(), Path(output_dir), "optimizer")
        save_state(self.lr_scheduler.state_dict(), Path(output_dir), "scheduler")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self.optimizer.load_state_dict(load_state(Path(checkpoint), "optimizer"))
            self.lr_scheduler.load_state_dict(load_state(Path(checkpoint), "scheduler"))

    def _save_rng_state(self, output_dir: str) -> None:
        save_random_state(Path(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_random_state(Path(checkpoint))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        (model or self.model).load_state_dict(load_state(folder, "weights"))
        if self.guide is not None:
            self.guide.load_state_dict(load_state(folder, "guide"))

    def _load_best_model(self) -> None:
        best = Path(str(self.state.best_model_checkpoint))
        self.model.load_state_dict(load_state(best, "weights"))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        run = Path(str(self.args.output_dir))
        newest = run / f"checkpoint-{self.state.global_step}"
        for path in newest.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        write_bytes_atomically(newest / _COMPLETE, b"")
        # Only now may older ones go; the arguments' own save_total_limit would remove them too early.
        keep = {newest.name, Path(str(self.state.best_model_checkpoint)).name}
        for folder in run.glob("checkpoint-*"):
            if folder.name not in keep:
                shutil.rmtree(folder)


def newest_complete_checkpoint(run: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, ready to resume, or None; half-written ones are removed."""
    whole: list[Path] = []
    for folder in run.glob("checkpoint-*"):
        if (folder / _COMPLETE).is_file():
            whole.append(folder)
        else:
            shutil.rmtree(folder)
    newest = max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)
    if newest is not None:
        _find_best_again(newest)
    return newest


def _find_best_again(checkpoint: Path) -> None:
    """Correct the path of the best checkpoint, since a run may have been moved or be named from elsewhere.

    transformers would forget the best epoch with a mere warning, and the run would end with its last one.
    """
    path = checkpoint / _STATE
    state = json.loads(path.read_text(encoding="utf-8"))
    if state["best_model_checkpoint"] is not None:
        name = Path(state["best_model_checkpoint"]).name
        state["best_model_checkpoint"] = str(checkpoint.with_name(name))
        write_bytes_atomically(path, json.dumps(state, indent=2, sort_keys=True).encode() + b"\n")
