"""JPEG's losses on a batch of tensors: the cosine transform of 8 x 8 blocks, rounded, and back.

ITU-T T.81 (1992); the table of luminance is its annex K.1, scaled by quality as the Independent JPEG Group's library
does. Entropy coding loses nothing and is left out.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.augmentation.draws import uniform

__all__ = ["compress", "compressed"]

_QUALITY = (10.0, 80.0)
_SIDE = 8
_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def compress(grey: Tensor, generator: Generator) -> Tensor:
    """Compress (B, 1, H, W), range 0..1, at qualities drawn for each image."""
    return compressed(grey, uniform(grey, *_QUALITY, generator))


def compressed(grey: Tensor, quality: Tensor) -> Tensor:
    """Return what is left of images after compression.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        quality: 1..100 for each image, (B, 1, 1, 1).
    """
    H, W = grey.shape[2:]
    padded = F.pad(grey, (0, -W % _SIDE, 0, -H % _SIDE), mode="replicate")
    rows, columns = padded.shape[2] // _SIDE, padded.shape[3] // _SIDE
    blocks = (-1, rows, _SIDE, columns, _SIDE)
    cosines = _cosines().to(grey.device)
    steps = _steps(quality)[:, None, :, None]  # (B, 1, 8, 1, 8)
    levels = padded.reshape(-1, rows, _SIDE, columns * _SIDE) * 255 - 128
    frequencies = (cosines @ levels).view(blocks) @ cosines.T
    rounded = (frequencies / steps).round() * steps @ cosines
    levels = cosines.T @ rounded.reshape(-1, rows, _SIDE, columns * _SIDE)
    restored = ((levels + 128).round() / 255).clamp(0, 1)
    return restored.view(-1, 1, rows * _SIDE, columns * _SIDE)[:, :, :H, :W]


def _cosines() -> Tensor:
    """Return the orthonormal cosine transform of 8 values, (frequencies, values)."""
    frequency = torch.arange(_SIDE).view(_SIDE, 1)
    place = torch.arange(_SIDE).view(1, _SIDE)
    cosines = torch.cos((2 * place + 1) * frequency * math.pi / (2 * _SIDE)) / 2
    cosines[0] /= math.sqrt(2)
    return cosines


def _steps(quality: Tensor) -> Tensor:
    """Return the step of each frequency at (B, 1, 1, 1) qualities, (B, 8, 8)."""
    quality = quality.view(-1, 1, 1).floor()
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    table = torch.tensor(_TABLE, device=quality.device)
    return ((table * percent + 50) / 100).floor().clamp(1, 255)
