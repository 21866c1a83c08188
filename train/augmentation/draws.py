"""Random numbers, one for each image of a batch."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

__all__ = ["chance", "draws", "on_some", "uniform"]


def draws(grey: Tensor, generator: Generator) -> Tensor:
    """Draw one number of 0..1 for each image, (B, 1, 1, 1), on the CPU, where the generator lives."""
    return torch.rand((grey.shape[0], 1, 1, 1), generator=generator).to(grey.device)


def uniform(grey: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Draw one number of ``low`` to ``high`` for each image, (B, 1, 1, 1)."""
    return draws(grey, generator) * (high - low) + low


def chance(grey: Tensor, probability: float, generator: Generator) -> Tensor:
    """Decide for each image, bool, (B, 1, 1, 1)."""
    return draws(grey, generator) < probability


def on_some(
    grey: Tensor,
    probability: float,
    generator: Generator,
    change: Callable[[Tensor, Generator], Tensor],
    *,
    drawn_at_once: int = 0,
) -> Tensor:
    """Change some images and spare the time for the others.

    Args:
        grey: (B, 1, H, W).
        probability: Of each image to be changed.
        generator: Source of all randomness.
        change: Takes the chosen ones and the generator; not called where none is chosen, since some of CUDA's kernels
            refuse an empty batch.
        drawn_at_once: Numbers that ``change`` draws for all images together. They are drawn where none is chosen too:
            what is drawn after them must not depend on it, or runs of older versions would go on with other images.
    """
    chosen = chance(grey, probability, generator).flatten().nonzero().flatten()
    if not len(chosen):
        torch.rand(drawn_at_once, generator=generator)
        return grey
    return grey.index_copy(0, chosen, change(grey[chosen], generator))
