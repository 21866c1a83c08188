"""Random views of a whole batch at once, as tensors: the two cores have no time for one picture after another.

Every draw comes from the generator that is passed in, so a resumed run sees the very same pictures.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.recipe import Augmentation

__all__ = ["augment"]


def augment(
    grey: Tensor, settings: Augmentation, generator: Generator, *, strength: float = 1.0
) -> Tensor:
    """Vary a batch of grey pictures.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        settings: From the recipe.
        generator: Source of all randomness.
        strength: Share of the settings' range, 0..1.

    Returns:
        Same shape and range.
    """
    views = _warp(grey, settings, generator, strength)
    views = _change_intensity(views, settings, generator, strength)
    if settings.blur:
        views = torch.where(
            _chance(grey, settings.blur * strength, generator), _blurred(views), views
        )
    if settings.noise:
        sigma = _uniform(grey, 0.0, settings.noise * strength, generator)
        views = views + sigma * torch.randn(views.shape, generator=generator).to(grey.device)
    if settings.erase:
        views = _erase(views, settings.erase * strength, generator)
    return views.clamp(0.0, 1.0)


def _uniform(grey: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    return _draws(grey, generator) * (high - low) + low


def _chance(grey: Tensor, probability: float, generator: Generator) -> Tensor:
    return _draws(grey, generator) < probability


def _draws(grey: Tensor, generator: Generator) -> Tensor:
    """Draw one number of 0..1 for each picture, on the CPU, where the generator lives."""
    return torch.rand((len(grey), 1, 1, 1), generator=generator).to(grey.device)


def _warp(grey: Tensor, settings: Augmentation, generator: Generator, strength: float) -> Tensor:
    """Rotate, zoom, stretch, shift and flip in one bilinear sampling."""

    def symmetric(size: float) -> Tensor:
        return _uniform(grey, -size * strength, size * strength, generator).flatten()

    angle = symmetric(math.radians(settings.rotation_degrees))
    low, high = settings.scale
    scale = _uniform(grey, 1 + (low - 1) * strength, 1 + (high - 1) * strength, generator).flatten()
    stretch = 1 + symmetric(settings.aspect)
    flip_x = 1 - 2 * _chance(grey, settings.horizontal_flip, generator).flatten().float()
    flip_y = 1 - 2 * _chance(grey, settings.vertical_flip, generator).flatten().float()
    theta = torch.zeros(
        len(grey), 2, 3, device=grey.device
    )  # maps output to input coordinates, both in -1..1
    theta[:, 0, 0] = angle.cos() * scale * stretch * flip_x
    theta[:, 0, 1] = -angle.sin() * scale * flip_y
    theta[:, 1, 0] = angle.sin() * scale * stretch * flip_x
    theta[:, 1, 1] = angle.cos() * scale * flip_y
    theta[:, 0, 2] = 2 * symmetric(settings.shift)
    theta[:, 1, 2] = 2 * symmetric(settings.shift)
    grid = F.affine_grid(theta, list(grey.shape), align_corners=False)
    return F.grid_sample(grey, grid, align_corners=False)


def _change_intensity(
    grey: Tensor, settings: Augmentation, generator: Generator, strength: float
) -> Tensor:
    def around_one(size: float) -> Tensor:
        return _uniform(grey, 1 - size * strength, 1 + size * strength, generator)

    if settings.gamma:
        exponent = _uniform(
            grey, -settings.gamma * strength, settings.gamma * strength, generator
        ).exp()
        grey = grey.clamp(1e-4, 1.0) ** exponent
    if settings.contrast:
        mean = grey.mean(dim=(1, 2, 3), keepdim=True)
        grey = (grey - mean) * around_one(settings.contrast) + mean
    if settings.brightness:
        grey = grey * around_one(settings.brightness)
    return grey


def _blurred(grey: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 2.0, 1.0], device=grey.device)
    kernel = (taps[:, None] * taps[None] / 16)[None, None]
    return F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernel)


def _erase(grey: Tensor, probability: float, generator: Generator) -> Tensor:
    """Set one rectangle of a tenth to a third of each side to the picture's mean."""
    H, W = grey.shape[2:]
    rows = torch.arange(H, device=grey.device).view(1, 1, H, 1) / H
    columns = torch.arange(W, device=grey.device).view(1, 1, 1, W) / W
    height, width = (_uniform(grey, 0.1, 0.33, generator) for _ in range(2))
    top, left = (_uniform(grey, 0.0, 0.8, generator) for _ in range(2))
    inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    erased = inside & _chance(grey, probability, generator)
    return torch.where(erased, grey.mean(dim=(1, 2, 3), keepdim=True), grey)
