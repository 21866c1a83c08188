"""The project's training step: augmentation and mixing of whole batches, a teacher, masks, averaged weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import Dataset, Sampler
from transformers import TrainingArguments

from train.loop.distillation import Guide, Teachers, distillation_loss
from train.loop.epoch_sampler import EpochSampler
from train.loop.grey_batches import pixel_values_from_grey
from train.loop.mask_loss import mask_loss
from train.loop.place_loss import place_loss
from train.loop.resumable_trainer import ResumableTrainer
from train.loop.shares import Share, share_of
from train.loop.torch_state import load_state
from train.loop.views import Views, training_views
from train.loop.weight_average import Averaging, exponential_average, in_place, mean_of_weights
from train.models.sae import reconstruction_error
from train.recipe import Recipe

__all__ = ["BrainTrainer"]


class BrainTrainer(ResumableTrainer):
    """Train a model of ``train.models`` on cached grey images.

    Args:
        model: With the project's interface.
        arguments: transformers' own.
        recipe: Augmentation, mixing, distillation, label smoothing, averages.
        layer: Of the stacked autoencoder, to be trained on its reconstruction; None to learn classes.
        preprocessor: For scaling pixel values as the runtime does.
        teacher: The teacher, or None.
        datasets: Training and validation part.
        on_loss: Called with the loss of each step.
        options: For transformers' Trainer (callbacks, compute_metrics).

    Attributes:
        guide: Trained with the model; maps its features to the teacher's. Or None.
        average: The exponential average that is validated instead of the model, or None.
        late: The mean of the last epochs' validated weights, or None.
    """

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        *,
        recipe: Recipe,
        layer: int | None = None,
        preprocessor: Any,
        teacher: Teachers | None,
        datasets: tuple[Dataset[Any], Dataset[Any]],
        on_loss: Callable[[Tensor], None] = lambda _: None,
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
        self.on_loss = on_loss
        self.teacher = None if teacher is None else teacher.to(arguments.device)
        self.guide = (
            None
            if teacher is None or layer is not None or not recipe.distillation.feature_weight
            else Guide(model.feature_dim, teacher.feature_dim).to(arguments.device)
        )
        self.average: AveragedModel | None = None
        if recipe.ema_decay:
            self.average = exponential_average(self.model, recipe.ema_decay, recipe.ema_every)
            self.add_callback(Averaging(self.average, recipe.ema_every))
        late = recipe.average_last and layer is None
        self.late = mean_of_weights(self.model) if late else None
        companions = {"guide": self.guide, "average": self.average, "late": self.late}
        self.companions = {name: each for name, each in companions.items() if each is not None}

    # --- the step -----------------------------------------------------------------------------------------------

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002 - the loss is a mean already
    ) -> Any:
        """Return the loss of a batch of grey uint8 images, (B, H, W), and optionally the logits."""
        share = share_of(len(inputs["labels"]))
        if not model.training:
            outputs = self._validation_outputs(model, inputs, share)
        else:
            views = self.training_views(inputs)
            pixel_values = pixel_values_from_grey(views.grey, self.preprocessor)
            # accelerate casts inside forward() only; the features are asked for directly.
            with self._autocast(pixel_values):
                outputs = self._training_outputs(model, views, pixel_values, share)
            self.on_loss(outputs["loss"])
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def training_step(self, model: Any, inputs: dict[str, Tensor], *more: Any) -> Tensor:
        """Compute the gradients of a batch; those of the other processes that train with this one are in them."""
        loss: Tensor = super().training_step(model, inputs, *more)
        share_of(len(inputs["labels"])).add_gradients(self.model)
        return loss

    def training_views(self, inputs: dict[str, Tensor]) -> Views:
        """Return the views that this step trains on."""
        return training_views(
            inputs,
            self.recipe,
            step=self.state.global_step,
            progress=self._progress(),
            mix=self.layer is None,
        )

    def _validation_outputs(
        self, model: Any, inputs: dict[str, Tensor], share: Share
    ) -> dict[str, Tensor]:
        grey = inputs["grey"][:, None].float() / 255  # (B, 1, H, W)
        pixel_values = pixel_values_from_grey(grey, self.preprocessor)
        if self.layer is not None:
            with self._autocast(grey):
                return {"loss": self._reconstruction_loss(model, pixel_values, share)}
        logits = share.whole(model(share.of(pixel_values)).logits.float())
        return {"loss": F.cross_entropy(logits, inputs["labels"]), "logits": logits}

    def _training_outputs(
        self, model: Any, views: Views, pixel_values: Tensor, share: Share
    ) -> dict[str, Tensor]:
        if self.layer is not None:
            return {"loss": self._reconstruction_loss(model, pixel_values, share)}
        with share.as_whole_batch():
            features = model.forward_features(share.of(pixel_values))
            output = model.forward_head(features)
        # From here on of all images, (B, ...), on every process.
        output = output._make(None if each is None else share.whole(each) for each in output)
        loss = views.label_loss(output.logits.float(), self.recipe.label_smoothing)
        if self.teacher is not None:
            taught = self.teacher(share.of(pixel_values))
            loss = self._with_teacher(loss, taught, features, output.logits, share)
        if self.recipe.mask.weight and views.masks is not None and views.known is not None:
            if output.presence is None:
                guided = mask_loss(output.evidence, views.labels, views.masks, views.known)
            else:
                guided = place_loss(
                    output.presence,
                    views.labels,
                    views.masks,
                    views.known,
                    unmixed=None if views.mixture is None else views.mixture.share == 1,
                    negative_id=model.classifier.negative_id,
                )
            loss = loss + self.recipe.mask.weight * guided
        return {"loss": loss, "logits": output.logits}

    def _reconstruction_loss(self, model: Any, pixel_values: Tensor, share: Share) -> Tensor:
        return reconstruction_error(
            *map(share.whole, model.rebuilt(share.of(pixel_values), self.layer))
        )

    def _with_teacher(
        self,
        loss: Tensor,
        taught: tuple[Tensor, Tensor],
        features: Tensor,
        logits: Tensor,
        share: Share,
    ) -> Tensor:
        settings = self.recipe.distillation
        teacher_features, teacher_logits = taught
        mixed = distillation_loss(logits, share.whole(teacher_logits), loss, settings)
        fade = max(0.0, 1 - self._progress() / settings.feature_until)
        if fade == 0 or self.guide is None:
            return mixed
        # Computed of the whole batch by every process, so the guide's own gradient is not added up.
        guided: Tensor = self.guide(share.whole(features), share.whole(teacher_features))
        return mixed + settings.feature_weight * fade * guided

    def _autocast(self, images: Tensor) -> torch.autocast:
        kind = images.device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.recipe.bf16)

    def _progress(self) -> float:
        return self.state.global_step / max(1, self.state.max_steps)

    # --- around it ----------------------------------------------------------------------------------------------

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        images: Any = train_dataset or self.train_dataset
        return EpochSampler(
            images.labels,
            seed=self.recipe.seed,
            balance=self.recipe.balance_classes,
            copies=images.copies,
            replace=images.replace,
        )

    def create_optimizer(self, model: Any = None) -> Any:
        """Create AdamW for the model and the guide's projection."""
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

    def evaluate(self, *given: Any, **options: Any) -> dict[str, float]:
        """Validate the exponential average if there is one; add the last epochs' weights to their mean."""
        with in_place(self.average, self.model):
            last = self.args.num_train_epochs - self.recipe.average_last
            if self.late is not None and self.is_in_train and round(self.state.epoch) > last:
                self.late.update_parameters(self.model)
            metrics: dict[str, float] = super().evaluate(*given, **options)
            return metrics

    def load_weights(self, checkpoint: Path) -> None:
        """Load the weights that the checkpoint was validated with: the average, if there is one."""
        if self.average is None:
            super().load_weights(checkpoint)
            return
        self.average.load_state_dict(load_state(checkpoint, "average"))
        self.model.load_state_dict(self.average.module.state_dict())
