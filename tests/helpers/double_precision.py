"""Train in float64, so that what is left of a difference is a fault and not the order of sums."""

from typing import Any

import torch

from train.loop.training import train_model

__all__ = ["train_in_double"]


def train_in_double(*given: Any, **options: Any) -> None:
    """Call ``train_model`` with float64 wherever it says float32; for a process of its own."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    train_model(*given, **options)
