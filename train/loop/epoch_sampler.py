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
        replace: Probability that an image that was drawn is replaced by its twin of each kind, float32, (kinds, N); 0
            where it has none, at most 1 together. The twin of kind k of index i is (k + 1) * N + i. None: no twins.
    """

    def __init__(
        self,
        labels: Tensor,
        *,
        seed: int,
        balance: bool,
        copies: Tensor | None = None,
        replace: Tensor | None = None,
    ) -> None:
        self.labels = labels
        self.seed = seed
        self.balance = balance
        self.replace = replace
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
        if self.balance:
            labels = self.labels[rows]
            weights = 1.0 / torch.bincount(labels).clamp(min=1).double()
            drawn = torch.multinomial(
                weights[labels], len(rows), replacement=True, generator=generator
            )
        else:
            drawn = torch.randperm(len(rows), generator=generator)
        rows = rows[drawn]
        if self.replace is not None:
            rows = rows + len(self.labels) * _kinds(self.replace[:, rows], generator)
        return iter(rows.tolist())


def _one_of_each(copies: Tensor, generator: Generator) -> Tensor:
    """Draw a row of each group, all its rows equally likely, (groups,)."""
    shuffled = torch.randperm(len(copies), generator=generator)
    by_group = shuffled[torch.argsort(copies[shuffled], stable=True)]
    sizes = torch.bincount(copies)
    return by_group[sizes.cumsum(0) - sizes]


def _kinds(replace: Tensor, generator: Generator) -> Tensor:
    """Draw for each image whether it is replaced, given probabilities (kinds, n): 0, or 1 more than the kind; (n,)."""
    drawn = torch.rand(replace.shape[1], generator=generator)
    return (drawn >= 1 - replace.flip(0).cumsum(0)).sum(0)
