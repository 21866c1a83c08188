"""Images mixed with one another: mixup and CutMix, with a share and a place for each image.

mixup: beyond empirical risk minimization, Zhang et al. 2017 (arXiv 1710.09412); CutMix: regularization strategy to
train strong classifiers with localizable features, Yun et al. 2019 (arXiv 1905.04899). torchvision has both, but
draws from the global generator and takes one share for all of a batch.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.recipe import Mixing

__all__ = ["Mixture", "draw_mixture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What each image of a batch is mixed with.

    Attributes:
        partner: Row of the other image, int64, (B,).
        own: Share of the image itself in each pixel, float32, (B, 1, H, W) or (B, 1, 1, 1).
    """

    partner: Tensor
    own: Tensor

    @property
    def share(self) -> Tensor:
        """Share of each image itself, 0..1, (B,)."""
        return self.own.mean(dim=(1, 2, 3))

    def apply(self, views: Tensor) -> Tensor:
        """Mix (B, 1, H, W); an image whose share is 1 stays as it is."""
        return self.own * views + (1 - self.own) * views[self.partner]

    def targets(self, labels: Tensor, classes: int) -> Tensor:
        """Turn class ids, (B,), into shares of classes, float32, (B, classes)."""
        one_hot = F.one_hot(labels, classes).float()
        return torch.lerp(one_hot[self.partner], one_hot, self.share[:, None])


def draw_mixture(
    views: Tensor, vary: Tensor, settings: Mixing, generator: Generator
) -> Mixture | None:
    """Draw partners and shares.

    Args:
        views: (B, 1, H, W).
        vary: Which images may be mixed, bool, (B,).
        settings: From the recipe.
        generator: Source of all randomness.

    Returns:
        None if neither mixup nor CutMix is switched on.
    """
    if not settings.mixup_alpha and not settings.cutmix_alpha:
        return None
    B = views.shape[0]
    partner = torch.randperm(B, generator=generator)
    mixed = (torch.rand(B, generator=generator) < settings.probability) & vary.cpu()
    cut = float(torch.rand((), generator=generator)) < (0.5 if settings.mixup_alpha else 1.0)
    if cut and settings.cutmix_alpha:
        share = _beta(settings.cutmix_alpha, B, generator)
        own = 1 - _boxes(views, (1 - share).sqrt(), generator).float()
    else:
        own = _beta(settings.mixup_alpha, B, generator).view(B, 1, 1, 1)
    own = torch.where(mixed.view(B, 1, 1, 1), own, 1.0)
    return Mixture(partner=partner.to(views.device), own=own.to(views.device))


def _beta(alpha: float, count: int, generator: Generator) -> Tensor:
    # torch's beta distribution takes no generator; NumPy's does, and its seed comes from ours.
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()


def _boxes(views: Tensor, side: Tensor, generator: Generator) -> Tensor:
    """Place boxes of given sides, (B,), in shares of the image's, anywhere; the rim cuts them. bool, (B, 1, H, W)."""
    B, _, H, W = views.shape
    middle = torch.rand((2, B, 1, 1, 1), generator=generator)
    rows = (torch.arange(H).view(1, 1, H, 1) + 0.5) / H
    columns = (torch.arange(W).view(1, 1, 1, W) + 0.5) / W
    reach = side.view(B, 1, 1, 1) / 2
    return ((rows - middle[0]).abs() < reach) & ((columns - middle[1]).abs() < reach)
