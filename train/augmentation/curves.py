"""Random curves of grey levels: another window, another sequence, the same anatomy.

BRISC's ``no_tumor`` images are mostly of one sequence and its tumours of another, so the brightness of fluid, grey and
white matter gives the class away. Curves that rise and fall remove that cue (after Model Genesis, Zhou et al. 2019,
arXiv 1908.06912, whose curves only rise).
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.augmentation.draws import chance, uniform
from train.recipe import Augmentation

__all__ = ["bend"]

_LEVELS = 1024
_SEGMENTS = 6
_DARKEST = 0.1  # least grey of tissue on a curve that also falls
_AIR = 0.06  # the noise of air reaches this level; above twice that, curves may fall


def bend(grey: Tensor, settings: Augmentation, generator: Generator, strength: float) -> Tensor:
    """Apply each image's own curve.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        settings: ``contrast_curve``, ``non_monotone`` and ``gamma`` (cheap here: powers of 1,024 levels only).
        generator: Source of all randomness.
        strength: Share of the settings' range.
    """
    B = grey.shape[0]
    curves = _rising(B, settings.contrast_curve * strength, generator)
    if settings.non_monotone:
        falls = chance(grey, settings.non_monotone * strength, generator).view(B, 1)
        curves = torch.where(falls.cpu(), _rising_and_falling(B, generator), curves)
    if settings.gamma:
        reach = settings.gamma * strength
        curves = curves ** uniform(grey, -reach, reach, generator).exp().view(B, 1).cpu()
    level = (grey.clamp(0.0, 1.0) * (_LEVELS - 1)).round_().long().flatten(1)  # (B, H*W)
    return torch.gather(curves.to(grey.device), 1, level).view_as(grey)


def _rising(count: int, spread: float, generator: Generator) -> Tensor:
    """Draw curves from 0 to 1 whose slopes vary by a factor of exp(spread) either way."""
    slopes = ((torch.rand((count, _SEGMENTS), generator=generator) * 2 - 1) * spread).exp()
    heights = slopes.cumsum(dim=1)
    return _through(heights / heights[:, -1:])


def _rising_and_falling(count: int, generator: Generator) -> Tensor:
    """Draw curves of any heights, stretched to the whole grey range; levels as dark as air do not change."""
    heights = torch.rand((count, _SEGMENTS), generator=generator)
    low, high = heights.amin(dim=1, keepdim=True), heights.amax(dim=1, keepdim=True)
    stretched = (heights - low) / (high - low).clamp(min=1e-6)
    unchanged = torch.linspace(0, 1, _LEVELS).expand(count, -1)
    free = ((unchanged - _AIR) / _AIR).clamp(0, 1)
    return torch.lerp(unchanged, _through(_DARKEST + (1 - _DARKEST) * stretched), free)


def _through(heights: Tensor) -> Tensor:
    """Connect 0 and the evenly spaced heights by straight lines: (B, segments) -> (B, levels)."""
    knots = F.pad(heights, (1, 0))[:, None]
    return F.interpolate(knots, _LEVELS, mode="linear", align_corners=True)[:, 0]
