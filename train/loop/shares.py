"""A batch shared by the processes that train together, so that a step is the step of one process.

Each process makes the views of the whole batch, since draws and mixing go across it, and the model does this process's
rows of them. What the model says is put together again, so every loss is computed of the whole batch, on every process
alike. Backwards, a process follows its own rows; the sum of the processes' gradients is that of the batch.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from train.loop.whole_batch import WholeBatch
from train.processes import process_count, process_number, total_

__all__ = ["Share", "share_of"]


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of a batch that this process does.

    Attributes:
        sizes: How many rows each process does; a single entry if this process does all of them: it is alone, or the
            batch has fewer images than there are processes, and each does the whole batch.
        number: Of this process.
    """

    sizes: Sequence[int]
    number: int = 0

    @property
    def rows(self) -> slice:
        """The rows of this process."""
        start = sum(self.sizes[: self.number])
        return slice(start, start + self.sizes[self.number])

    def of(self, whole: Tensor) -> Tensor:
        """Return this process's rows of (B, ...)."""
        return whole if len(self.sizes) == 1 else whole[self.rows]

    def whole(self, own: Tensor) -> Tensor:
        """Put (b, ...) of each process together, (B, ...); its gradient goes to the own rows."""
        if len(self.sizes) == 1:
            return own
        together: Tensor = _Together.apply(own, self)
        return together

    def as_whole_batch(self) -> AbstractContextManager[Any]:
        """Draw random numbers and normalise batches, in the model, as if it were given all rows."""
        return nullcontext() if len(self.sizes) == 1 else WholeBatch(self.sizes, self.number)

    def add_gradients(self, model: nn.Module) -> None:
        """Give every process the gradient of the whole batch: the sum of all."""
        if len(self.sizes) == 1:
            return
        gradients = [each.grad for each in model.parameters() if each.grad is not None]
        total = total_(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(total, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def share_of(images: int) -> Share:
    """Share out a batch of so many images; the first processes do one more if it does not divide."""
    count = process_count()
    if count == 1 or images < count:
        return Share((images,))
    each, more = divmod(images, count)
    return Share(tuple(each + (number < more) for number in range(count)), process_number())


class _Together(torch.autograd.Function):
    """Every process's rows in one tensor: a sum of tensors that are zero elsewhere, which is exact."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, share: Share) -> Tensor:
        ctx.rows = share.rows
        # Not every backend adds up bfloat16; float32 holds all of it.
        kind = torch.promote_types(own.dtype, torch.float32)
        whole = own.new_zeros((sum(share.sizes), *own.shape[1:]), dtype=kind)
        whole[share.rows] = own
        return total_(whole).to(own.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.rows], None
