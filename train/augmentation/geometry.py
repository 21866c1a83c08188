"""Geometry: rotate, zoom, stretch, shift, flip and turn, all in one bilinear sampling."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.augmentation.draws import chance, uniform
from train.recipe import Augmentation

__all__ = ["draw_warp", "warped"]


def draw_warp(
    grey: Tensor, settings: Augmentation, generator: Generator, strength: float
) -> Tensor:
    """Draw a warp for each image: a grid that says where each of its pixels comes from, (B, H, W, 2)."""

    def symmetric(size: float) -> Tensor:
        return uniform(grey, -size * strength, size * strength, generator).flatten()

    angle = symmetric(math.radians(settings.rotation_degrees))
    low, high = settings.scale
    scale = uniform(grey, 1 + (low - 1) * strength, 1 + (high - 1) * strength, generator).flatten()
    stretch = 1 + symmetric(settings.aspect)
    flip_x = 1 - 2 * chance(grey, settings.horizontal_flip, generator).flatten().float()
    flip_y = 1 - 2 * chance(grey, settings.vertical_flip, generator).flatten().float()
    across, down = (2 * symmetric(settings.shift) for _ in range(2))
    if settings.quarter_turns:
        angle = angle + _quarter_turns(grey, settings.quarter_turns, generator)
    # Maps output to input coordinates, both in -1..1.
    theta = torch.zeros(grey.shape[0], 2, 3, device=grey.device)
    theta[:, 0, 0] = angle.cos() * scale * stretch * flip_x
    theta[:, 0, 1] = -angle.sin() * scale * flip_y
    theta[:, 1, 0] = angle.sin() * scale * stretch * flip_x
    theta[:, 1, 1] = angle.cos() * scale * flip_y
    theta[:, 0, 2] = across
    theta[:, 1, 2] = down
    return F.affine_grid(theta, list(grey.shape), align_corners=False)


def warped(images: Tensor, warp: Tensor) -> Tensor:
    """Sample (B, 1, H, W) as a warp says; pixels from outside the image are 0."""
    return F.grid_sample(images, warp, align_corners=False)


def _quarter_turns(grey: Tensor, probability: float, generator: Generator) -> Tensor:
    """Draw 90, 180 or 270 degrees for some images and 0 for the others, in radians, (B,)."""
    turned = chance(grey, probability, generator).flatten()
    turns = uniform(grey, 1.0, 4.0, generator).flatten().floor()
    return turned * turns * (math.pi / 2)
