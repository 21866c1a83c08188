"""Convolutions that are computed another way than torch would: the same weights and answers, and why.

- Depthwise convolutions leave bf16 autocast: their backward pass in bf16 is ten times slower on CPUs.
- 1 x 1 convolutions with a stride and fewer than 16 input channels, such as the shortcut of a narrow residual block,
  select their pixels before they compute, during training; then they need no stride. The reason is an error in torch
  2.14.1 (oneDNN 3.12): with channels_last it computes the gradient of such weights with
  ``jit_avx512_common_1x1_convolution_bwd_weights_t``, or the same for bf16, which writes outside of its memory where
  threads share an image, such as in an odd batch on two threads. On processors with AVX-512, in float32 and in bf16,
  the process then crashes at once or later, or goes on with overwritten values. Nothing of that kind was seen without a
  stride, with 16 channels or more, with channels first, or with a larger kernel.
"""

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

__all__ = ["mend_convolutions"]

_WIDE_ENOUGH = 16  # channels


def mend_convolutions(module: nn.Module) -> None:
    """Make a module's convolutions fast and safe to train, in place."""
    for child in module.modules():
        # The parameters and their names stay; only forward changes. A subclass may compute something of its own, so
        # only the classes known here are changed.
        if isinstance(child, nn.Conv2d) and child.groups > 1:
            child.__class__ = _IN_FLOAT32.get(type(child), type(child))
        elif type(child) is nn.Conv2d and _is_narrow_shortcut(child):
            child.__class__ = _SubsampledConvolution


def _is_narrow_shortcut(layer: nn.Conv2d) -> bool:
    return (
        layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
        and layer.padding == (0, 0)
        and layer.in_channels < _WIDE_ENOUGH
    )


class _Float32Convolution(nn.Conv2d):
    """A convolution that leaves bf16 autocast."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        if not torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


class _Float32SameConvolution(_Float32Convolution, Conv2dSame):  # type: ignore[misc] # timm has no types
    """The same with TensorFlow's padding, which timm's class computes: its forward is the next one."""


_IN_FLOAT32: dict[type[nn.Conv2d], type[nn.Conv2d]] = {
    nn.Conv2d: _Float32Convolution,
    Conv2dSame: _Float32SameConvolution,
}


class _SubsampledConvolution(nn.Conv2d):
    """A 1 x 1 convolution that applies its stride before it computes; in evaluation mode it is as torch has it."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        if not self.training:
            return super().forward(input)
        down, across = self.stride
        selected = input[:, :, ::down, ::across]  # (B, C, H, W) -> (B, C, H/down, W/across)
        return nn.functional.conv2d(selected, self.weight, self.bias)
