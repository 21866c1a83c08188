"""Random views of a whole batch at once, as tensors: image by image would be too slow on two cores.

Every draw comes from the generator that is passed in, so a resumed run sees the same images. A part that is
switched off draws nothing, so an older recipe without it still sees the same images.

These vary the training. What robustness and the INT8 gate are measured on is ``train.corruption``.
"""

from dataclasses import replace

import torch
from torch import Generator, Tensor

from train.augmentation.covers import add_frames, erased_places
from train.augmentation.curves import bend
from train.augmentation.draws import on_some, uniform
from train.augmentation.geometry import draw_warp, warped
from train.augmentation.intensity import change_intensity, shade
from train.augmentation.jpeg import compress
from train.augmentation.sharpness import blur, lower_resolution
from train.recipe import Augmentation

__all__ = ["augment", "augment_with_masks"]


def augment(
    grey: Tensor, settings: Augmentation, generator: Generator, *, strength: float = 1.0
) -> Tensor:
    """Vary a batch of grey images.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        settings: From the recipe.
        generator: Source of all randomness.
        strength: Share of the settings' range, 0..1.

    Returns:
        Same shape and range.
    """
    return augment_with_masks(grey, None, settings, generator, strength=strength)[0]


def augment_with_masks(
    grey: Tensor,
    masks: Tensor | None,
    settings: Augmentation,
    generator: Generator,
    *,
    strength: float = 1.0,
) -> tuple[Tensor, Tensor | None]:
    """Vary a batch of grey images, and move the masks with what they cover.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        masks: Same shape and range, or None. They have no effect on the images.
        settings: From the recipe.
        generator: Source of all randomness.
        strength: Share of the settings' range, 0..1.

    Returns:
        Images and masks, same shape and range.
    """
    warp = draw_warp(grey, settings, generator, strength)
    views = warped(grey, warp)
    masks = None if masks is None else warped(masks, warp)
    views = _rescanned(views, settings, generator, strength)
    if settings.noise:
        sigma = uniform(grey, 0.0, settings.noise * strength, generator)
        views = views + sigma * torch.randn(views.shape, generator=generator).to(grey.device)
    views = _exported(views, settings, generator, strength)
    if settings.erase:
        places = erased_places(views, settings.erase * strength, generator)
        views = views.where(~places, views.mean(dim=(1, 2, 3), keepdim=True))
        masks = None if masks is None else masks.where(~places, 0.0)
    return views.clamp(0.0, 1.0), masks


def _rescanned(
    views: Tensor, settings: Augmentation, generator: Generator, strength: float
) -> Tensor:
    """Change what another sequence, coil, window or matrix changes."""
    if settings.non_monotone or settings.contrast_curve:
        views = bend(views, settings, generator, strength)
        settings = replace(settings, gamma=0.0)  # the curve includes it
    if settings.bias_field:
        views = shade(views, settings.bias_field * strength, generator)
    views = change_intensity(views, settings, generator, strength)
    if settings.low_resolution:
        probability = settings.low_resolution * strength
        views = on_some(views, probability, generator, lower_resolution, drawn_at_once=1)
    if settings.blur:
        views = on_some(views, settings.blur * strength, generator, blur)
    return views


def _exported(
    views: Tensor, settings: Augmentation, generator: Generator, strength: float
) -> Tensor:
    """Change what the way from a viewer into a file changes."""
    if settings.jpeg:
        views = on_some(views, settings.jpeg * strength, generator, compress)
    if settings.frame:
        views = on_some(views, settings.frame * strength, generator, add_frames)
    return views
