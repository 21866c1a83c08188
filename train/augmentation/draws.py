"""Random numbers, one for each image of a batch."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

__all__ = ["chance", "draws", "on_some", "uniform"]


def draws(grey: Tensor, generator: Generator) -> Tensor:
    """Draw a number in 0..1 for each image, (B, 1, 1, 1); drawn on the CPU, where the generator is."""
    return torch.rand((grey.shape[0], 1, 1, 1), generator=generator).to(grey.device)


def uniform(grey: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Draw a number from ``low`` to ``high`` for each image, (B, 1, 1, 1)."""
    return draws(grey, generator) * (high - low) + low


def chance(grey: Tensor, probability: float, generator: Generator) -> Tensor:
    """Draw True with the given probability for each image, bool, (B, 1, 1, 1)."""
    return draws(grey, generator) < probability


def on_some(
    grey: Tensor,
    probability: float,
    generator: Generator,
    change: Callable[[Tensor, Generator], Tensor],
    *,
    drawn_at_once: int = 0,
) -> Tensor:
    """Change some images; the others cost no time.

    Args:
        grey: (B, 1, H, W).
        probability: That an image is changed.
        generator: Source of all randomness.
        change: Takes the chosen images and the generator. Not called if none is chosen, since some CUDA kernels
            refuse an empty batch.
        drawn_at_once: How many numbers ``change`` draws for all images together. They are drawn even if no image is
            chosen: otherwise later draws would shift, and resumed runs of older versions would see other images.
    """
    chosen = chance(grey, probability, generator).flatten().nonzero().flatten()
    if not len(chosen):
        torch.rand(drawn_at_once, generator=generator)
        return grey
    return grey.index_copy(0, chosen, change(grey[chosen], generator))
