"""Brightness: gamma, contrast, brightness, and the uneven field of a coil."""

import torch
from torch import Generator, Tensor

from train.augmentation.draws import uniform
from train.recipe import Augmentation

__all__ = ["change_intensity", "shade"]


def change_intensity(
    grey: Tensor, settings: Augmentation, generator: Generator, strength: float
) -> Tensor:
    """Change gamma, contrast around the image's mean, and brightness."""

    def around_one(size: float) -> Tensor:
        return uniform(grey, 1 - size * strength, 1 + size * strength, generator)

    if settings.gamma:
        exponent = uniform(
            grey, -settings.gamma * strength, settings.gamma * strength, generator
        ).exp()
        grey = grey.clamp(1e-4, 1.0) ** exponent
    if settings.contrast:
        mean = grey.mean(dim=(1, 2, 3), keepdim=True)
        grey = (grey - mean) * around_one(settings.contrast) + mean
    if settings.brightness:
        grey = grey * around_one(settings.brightness)
    return grey


def shade(grey: Tensor, amplitude: float, generator: Generator) -> Tensor:
    """Multiply by a smooth field that differs from 1 by at most ``amplitude``.

    A third-degree polynomial of the position, the usual model of a bias field (Van Leemput et al. 1999,
    doi 10.1109/42.811268).
    """
    B, _, H, W = grey.shape
    down = torch.linspace(-1, 1, H).view(H, 1)
    across = torch.linspace(-1, 1, W).view(1, W)
    terms = [down**i * across**j for i in range(4) for j in range(4 - i) if i + j > 0]
    weights = torch.rand((B, len(terms)), generator=generator) * 2 - 1
    # No term is larger than 1, so no field is larger than the sum of its weights.
    weights = weights / weights.abs().sum(dim=1, keepdim=True)
    weights = weights * uniform(grey, 0.0, amplitude, generator).view(B, 1).cpu()
    field = weights @ torch.stack(terms).flatten(1)  # (B, 9) @ (9, H*W)
    return grey * field.view(B, 1, H, W).add_(1).to(grey.device)
