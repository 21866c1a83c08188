"""A batch of cached images as training sees it: shrunk, augmented, mixed, with their masks."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from train.augmentation import augment_with_masks
from train.loop.image_sizes import resized, size_at
from train.loop.mixing import Mixture, draw_mixture
from train.recipe import Recipe

__all__ = ["Views", "training_views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What a step trains on.

    Attributes:
        grey: float32, (B, 1, h, w), range 0..1.
        labels: int64, (B,).
        mixture: What was mixed, or None.
        masks: Of tumours, moved with the images, float32, (B, 1, h, w), range 0..1, or None.
        known: Which masks to use, bool, (B,), or None.
    """

    grey: Tensor
    labels: Tensor
    mixture: Mixture | None = None
    masks: Tensor | None = None
    known: Tensor | None = None

    def label_loss(self, logits: Tensor, smoothing: float) -> Tensor:
        """Return the cross entropy of (B, classes) with the labels, mixed as the images are."""
        if self.mixture is None:
            return F.cross_entropy(logits, self.labels, label_smoothing=smoothing)
        targets = self.mixture.targets(self.labels, logits.shape[1])
        return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def training_views(
    batch: dict[str, Tensor], recipe: Recipe, *, step: int, progress: float, mix: bool = True
) -> Views:
    """Make the views of a batch; a step always sees the same views, in resumed runs too.

    Args:
        batch: Items of ``GreyImages``, stacked.
        recipe: Sizes, augmentation, mixing.
        step: Number of the training step; seeds everything.
        progress: Share of the training that is done, 0..1.
        mix: Whether images may be mixed; not if no labels are learned.
    """
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    size, vary = size_at(recipe, progress), batch["vary"]
    grey = resized(batch["grey"][:, None].float() / 255, size)  # (B, 1, size, size)
    masks = resized(batch["mask"][:, None].float() / 255, size) if "mask" in batch else None
    start = recipe.augmentation.strength_from
    views, moved = augment_with_masks(
        grey,
        masks,
        recipe.augmentation,
        generator,
        strength=min(1.0, start + (1 - start) * 2 * progress),
    )
    varied = vary[:, None, None, None]
    views = torch.where(varied, views, grey)
    known = batch.get("mask_known")
    mixture = None
    if mix and progress < recipe.mixing.until:
        mixture = draw_mixture(views, vary, recipe.mixing, generator)
    if mixture is not None:
        views = mixture.apply(views)
        # A mask does not say where a mixed image's evidence should be.
        known = None if known is None else known & (mixture.share == 1)
    return Views(
        grey=views,
        labels=batch["labels"],
        mixture=mixture,
        masks=None if masks is None or moved is None else torch.where(varied, moved, masks),
        known=known,
    )
