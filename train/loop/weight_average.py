"""Averages of a model's weights over the steps or epochs of a training, buffers of batch norm included.

Averaging weights leads to wider optima and better generalization, Izmailov et al. 2018 (arXiv 1803.05407); the
exponential one is Polyak's and Ruppert's, as used for Inception (arXiv 1512.00567).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from transformers import TrainerCallback

__all__ = ["Averaging", "exponential_average", "in_place", "mean_of_weights"]


def exponential_average(model: nn.Module, decay: float, every: int) -> AveragedModel:
    """Return an exponential average; it forgets faster at first, so that the first weights do not stay in it.

    Args:
        model: Whose weights are averaged; pass it to ``update_parameters``.
        decay: Share of the average that is kept in a step.
        every: Steps between two updates.
    """
    kept = decay**every

    def share_of_new(updates: int) -> float:
        return 1 - min(kept, (1 + updates) / (10 + updates))

    return _average(model, share_of_new)


def mean_of_weights(model: nn.Module) -> AveragedModel:
    """Return an average in which all updates have the same weight."""
    return _average(model, lambda updates: 1 / (updates + 1))


@contextmanager
def in_place(average: AveragedModel | None, model: nn.Module) -> Iterator[None]:
    """Give a model the average's weights while the context lasts; without an average it keeps its own."""
    if average is None:
        yield
        return
    own = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(average.module.state_dict())
    try:
        yield
    finally:
        model.load_state_dict(own)


class Averaging(TrainerCallback):  # type: ignore[misc, unused-ignore] # untyped for mypy
    """Updates an average during training.

    Args:
        average: Of the trained model.
        every: Steps between two updates.
    """

    def __init__(self, average: AveragedModel, every: int) -> None:
        self.average = average
        self.every = every

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        """Update the average every ``every`` steps."""
        if state.global_step % self.every == 0:
            self.average.update_parameters(given["model"])


def _average(model: nn.Module, share_of_new: Callable[[int], float]) -> AveragedModel:
    @torch.no_grad()
    def update(
        averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int
    ) -> None:
        """Move weights and statistics towards the current ones; counters are copied."""
        share = share_of_new(int(updates))
        for mine, now in zip(averaged, current, strict=True):
            if mine.is_floating_point():
                mine.lerp_(now, share)
            else:
                mine.copy_(now)

    # torch's own averages would also blend counters, and have no warm-up.
    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)
