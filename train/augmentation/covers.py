"""What covers parts of an image: frames and marks of viewers and screenshots, and erased rectangles."""

import torch
from torch import Generator, Tensor

from train.augmentation.draws import chance, uniform

__all__ = ["add_frames", "erased_places"]

_WIDEST = 0.15  # width of a frame, share of the side
_TEXT = (5, 16)  # rows and columns of a mark's dots


def add_frames(grey: Tensor, generator: Generator) -> Tensor:
    """Put a black, grey or white frame on half of (B, 1, H, W), and marks like text on the others."""
    rows, columns = _places(grey)
    # Below 0, in a third of the draws, a side has no frame.
    widths = [uniform(grey, -_WIDEST / 2, _WIDEST, generator) for _ in range(4)]
    framed = (rows < widths[0]) | (rows >= 1 - widths[1])
    framed = framed | (columns < widths[2]) | (columns >= 1 - widths[3])
    framed = torch.where(chance(grey, 0.5, generator), framed, _marked(grey, generator))
    value = uniform(grey, -0.5, 1.5, generator).clamp(0, 1)  # a quarter black, a quarter white
    return torch.where(framed, value, grey)


def erased_places(grey: Tensor, probability: float, generator: Generator) -> Tensor:
    """Choose one rectangle of a tenth to a third of each side in some images; bool, (B, 1, H, W)."""
    rows, columns = _places(grey)
    height, width = (uniform(grey, 0.1, 0.33, generator) for _ in range(2))
    top, left = (uniform(grey, 0.0, 0.8, generator) for _ in range(2))
    across = (columns >= left) & (columns < left + width)
    down = (rows >= top) & (rows < top + height) & chance(grey, probability, generator)
    return down & across


def _marked(grey: Tensor, generator: Generator) -> Tensor:
    """Choose random dots of a small rectangle near a corner; bool, (B, 1, H, W)."""
    rows, columns = _places(grey)
    height, width = uniform(grey, 0.03, 0.08, generator), uniform(grey, 0.1, 0.35, generator)
    top, left = (uniform(grey, 0.0, 0.08, generator) for _ in range(2))
    top = torch.where(chance(grey, 0.5, generator), top, 1 - top - height)
    left = torch.where(chance(grey, 0.5, generator), left, 1 - left - width)
    dots = torch.rand((grey.shape[0], _TEXT[0] * _TEXT[1]), generator=generator) < 0.5
    down, across = (rows - top) / height, (columns - left) / width
    inside = (down >= 0) & (down < 1) & (across >= 0) & (across < 1)
    row = (down * _TEXT[0]).long().clamp(0, _TEXT[0] - 1)
    dot = row * _TEXT[1] + (across * _TEXT[1]).long().clamp(0, _TEXT[1] - 1)  # (B, 1, H, W)
    return inside & torch.gather(dots.to(grey.device), 1, dot.flatten(1)).view_as(inside)


def _places(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far down and across each place lies, 0..1: (1, 1, H, 1) and (1, 1, 1, W)."""
    H, W = grey.shape[2:]
    rows = torch.arange(H, device=grey.device).view(1, 1, H, 1) / H
    columns = torch.arange(W, device=grey.device).view(1, 1, 1, W) / W
    return rows, columns
