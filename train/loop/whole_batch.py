"""What a model computes across a batch, when each process has some of its rows: batch norm's statistics, and draws.

torch's SyncBatchNorm exists for GPUs only, and no class knows of draws; so calls of torch's functions are changed while
a model runs, for layers of any library.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from edge_infer.errors import UnknownModel
from train.processes import total_

__all__ = ["WholeBatch"]


class WholeBatch(TorchFunctionMode):
    """Makes of a batch's rows what they would be in the whole batch, while the context lasts.

    Args:
        sizes: How many rows each process has.
        number: Of this process.
    """

    def __init__(self, sizes: Sequence[int], number: int) -> None:
        super().__init__()
        start = sum(sizes[:number])
        self.sizes = sizes
        self.number = number
        self.rows = slice(start, start + sizes[number])
        self.changed: Mapping[Any, Callable[..., Any]] = {
            F.batch_norm: self._batch_norm,
            F.dropout: self._dropout,
            F.scaled_dot_product_attention: self._attention,
            Tensor.bernoulli_: self._bernoulli_,
            torch.rand: self._rand,
        }

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do what a model calls; torch itself asks."""
        return self.changed.get(function, function)(*arguments, **(options or {}))

    # --- draws: for all rows, of which these are kept, so every process's generator goes on as that of one alone ---

    def _rand(self, *size: Any, **options: Any) -> Tensor:
        shape = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
        return torch.rand(self._all_rows(shape), **options)[self.rows]

    def _bernoulli_(self, values: Tensor, *probability: Any, **options: Any) -> Tensor:
        drawn = values.new_empty(self._all_rows(values.shape)).bernoulli_(*probability, **options)
        return values.copy_(drawn[self.rows])

    def _dropout(
        self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training or p == 0:
            return values
        kept = F.dropout(values.new_ones(self._all_rows(values.shape)), p)[self.rows]
        return values.mul_(kept) if inplace else values * kept

    def _attention(self, *arguments: Any, **options: Any) -> Tensor:
        if (arguments[4:] or (options.get("dropout_p", 0.0),))[0]:
            raise UnknownModel(
                "attention with dropout inside cannot be shared by several processes",
                hint="leave it out of the recipe's [model], or train with one process",
            )
        return F.scaled_dot_product_attention(*arguments, **options)

    def _all_rows(self, shape: Sequence[int]) -> tuple[int, ...]:
        if shape[0] != self.sizes[self.number]:
            raise ValueError(f"drawn are {shape[0]} rows, but this process has {self.rows}")
        return (sum(self.sizes), *shape[1:])

    # --- batch norm -----------------------------------------------------------------------------------------------

    def _batch_norm(
        self,
        values: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return F.batch_norm(
                values, running_mean, running_var, weight, bias, training=False, eps=eps
            )
        shares = torch.tensor(self.sizes) / sum(self.sizes)
        normalised, mean, variance = _BatchNorm.apply(
            values, weight, bias, eps, shares, self.number
        )
        if running_mean is not None and running_var is not None:
            count = values.numel() / values.shape[1] / float(shares[self.number])
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(variance * (count / (count - 1)), momentum)
        whole: Tensor = normalised
        return whole


class _BatchNorm(torch.autograd.Function):
    """Batch norm by mean and variance over all processes; torch's own kernels, and what they do not know added."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        shares: Tensor,
        number: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        kind = torch.promote_types(values.dtype, torch.float32)
        shares = shares.to(values.device, kind)[:, None]
        zeros = values.new_zeros(
            (2, values.shape[1]), dtype=kind
        )  # without them bfloat16 would give bfloat16
        own = torch.batch_norm_update_stats(values, zeros[0], zeros[1], 0.0)
        each = values.new_zeros((len(shares), 2, values.shape[1]), dtype=kind)
        each[number] = torch.stack(own)
        means, variances = total_(each).unbind(1)  # (processes, C)
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        ctx.save_for_backward(values, weight, mean, (variance + eps).rsqrt())
        ctx.eps, ctx.share = eps, float(shares[number])
        ctx.mark_non_differentiable(mean, variance)
        normalised = F.batch_norm(values, mean, variance, weight, bias, training=False, eps=eps)
        return normalised, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, mean, scale = ctx.saved_tensors
        given, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, values, weight, None, None, mean, scale, True, ctx.eps, [True, True, True]
        )
        # It has subtracted the means of these rows, of the gradient and of its product with the output, not of all.
        sums = torch.stack([to_bias, to_weight])
        count = values.numel() / values.shape[1]
        too_much = (sums - total_(sums.clone()) * ctx.share) / count
        slope = scale if weight is None else scale * weight
        shape = (1, -1, *[1] * (values.ndim - 2))
        by_value = slope * scale * too_much[1]
        given = torch.addcmul(
            given + (slope * too_much[0] - mean * by_value).view(shape),
            values.to(mean.dtype),
            by_value.view(shape),
        )
        affine = (None, None) if weight is None else (to_weight, to_bias)
        return given.to(values.dtype), *affine, None, None, None
