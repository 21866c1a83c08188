"""Sharpness: a blur, and the loss of detail at a lower resolution."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

__all__ = ["blur", "lower_resolution"]

_SHRINK = (1.2, 2.2)


def blur(grey: Tensor, _: Generator | None = None) -> Tensor:
    """Blur (B, 1, H, W) with a 3 x 3 binomial kernel.

    As nine shifted sums: torch's convolution of a single channel takes three times as long and gives the same bits.
    """
    H, W = grey.shape[2:]
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    blurred = torch.zeros_like(grey)
    for row, row_weight in enumerate((1, 2, 1)):
        for column, weight in enumerate((1, 2, 1)):
            shifted = padded[:, :, row : row + H, column : column + W]
            blurred = blurred.add_(shifted, alpha=row_weight * weight / 16)
    return blurred


def lower_resolution(grey: Tensor, generator: Generator) -> Tensor:
    """Shrink (B, 1, H, W) by one factor and enlarge it again."""
    H, W = grey.shape[2:]
    low, high = _SHRINK
    factor = low + (high - low) * float(torch.rand((), generator=generator))
    small = F.interpolate(
        grey, (round(H / factor), round(W / factor)), mode="bilinear", antialias=True
    )
    return F.interpolate(small, (H, W), mode="bilinear")
