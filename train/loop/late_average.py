"""The mean of the last epochs' weights, tried after training.

Averaging weights leads to wider optima and better generalization, Izmailov et al. 2018 (arXiv 1803.05407).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader, Subset

from train.loop.grey_batches import pixel_values_from_grey
from train.loop.trainer import BrainTrainer
from train.loop.views import training_views

__all__ = ["LateAverage", "try_late_average"]

logger = logging.getLogger(__name__)

_IMAGES = 1024  # enough for means and variances


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAverage:
    """Result of the mean of the last epochs' weights.

    Attributes:
        epochs: How many were averaged.
        val_accuracy: With the mean, 0..1.
        kept: Whether it beat the best epoch; if so, the model has these weights.
    """

    epochs: int
    val_accuracy: float
    kept: bool


def try_late_average(trainer: BrainTrainer) -> LateAverage | None:
    """Give the model the mean of the last epochs' weights, if it validates better than the best epoch.

    Args:
        trainer: After its training, with the best epoch's weights in its model.

    Returns:
        None if the recipe does not ask for it.
    """
    if trainer.late is None:
        return None
    best = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.model.load_state_dict(trainer.late.module.state_dict())
    if trainer.average is None:
        # Batch norm statistics belong to the weights they were measured with, so their mean is useless. (With an
        # exponential average they hardly change between epochs.)
        with torch.random.fork_rng():
            torch.manual_seed(trainer.recipe.seed)  # for dropped paths
            update_bn(_pixel_values(trainer), trainer.model)
    validation = trainer.evaluation_loop(
        trainer.get_eval_dataloader(), "Late average", metric_key_prefix="late"
    )
    accuracy = float((validation.metrics or {})["late_accuracy"])
    kept = accuracy > (trainer.state.best_metric or 0.0)
    if not kept:
        trainer.model.load_state_dict(best)
    epochs = int(trainer.late.n_averaged)
    logger.info(
        "mean of the last %d epochs: val accuracy %.2f %%, %s",
        epochs,
        100 * accuracy,
        "kept" if kept else "not kept: the best epoch is at least as good",
    )
    return LateAverage(epochs=epochs, val_accuracy=accuracy, kept=kept)


def _pixel_values(trainer: BrainTrainer) -> Iterator[Tensor]:
    """Yield batches of augmented training images, evenly chosen, at the final size."""
    dataset: Any = trainer.train_dataset
    rows = range(0, len(dataset), max(1, len(dataset) // _IMAGES))
    size = trainer.recipe.batch_size
    # A last batch of one image would have no variance.
    batches = DataLoader(Subset(dataset, rows), batch_size=size, drop_last=len(rows) > size)
    for number, batch in enumerate(batches):
        views = training_views(batch, trainer.recipe, step=number, progress=1.0, mix=False)
        grey = views.grey.to(trainer.args.device)
        yield pixel_values_from_grey(grey, trainer.preprocessor)
