"""The order of the images of an epoch."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.utils.data import Sampler

__all__ = ["EpochSampler"]


class EpochSampler(Sampler[int]):
    """A shuffled order that depends only on seed and epoch, so a resumed run draws the same images.

    Args:
        labels: int64, (N,).
        seed: Of the recipe.
        balance: Draw each class equally often (with replacement within the smaller classes).
        copies: Number of each image's copy group, 0..groups - 1, int64, (N,): an epoch has one image of each group.
            None: every image is drawn.
    """

    def __init__(
        self, labels: Tensor, *, seed: int, balance: bool, copies: Tensor | None = None
    ) -> None:
        self.labels = labels
        self.seed = seed
        self.balance = balance
        self.copies = copies
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; accelerate calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels) if self.copies is None else int(self.copies.max()) + 1

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        rows = torch.arange(len(self.labels))
        if self.copies is not None:
            rows = _one_of_each(self.copies, generator)
        if not self.balance:
            return iter(rows[torch.randperm(len(rows), generator=generator)].tolist())
        labels = self.labels[rows]
        weights = 1.0 / torch.bincount(labels).clamp(min=1).double()
        drawn = torch.multinomial(weights[labels], len(rows), replacement=True, generator=generator)
        return iter(rows[drawn].tolist())


def _one_of_each(copies: Tensor, generator: Generator) -> Tensor:
    """Draw a row of each group, all its rows equally likely, (groups,)."""
    shuffled = torch.randperm(len(copies), generator=generator)
    by_group = shuffled[torch.argsort(copies[shuffled], stable=True)]
    sizes = torch.bincount(copies)
    return by_group[sizes.cumsum(0) - sizes]
