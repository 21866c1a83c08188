"""Convolutions that take another way through torch than its own: the same weights and answers, and why.

- Depthwise ones leave bf16 autocast: their bf16 backward is ten times slower on CPUs.
- Those of one pixel with a stride and fewer than 16 input channels, such as the shortcut of a narrow residual block,
  choose their pixels themselves while they learn, and then need no stride. In channels_last torch 2.14.1 (oneDNN 3.12)
  computes the gradient of such weights with ``jit_avx512_common_1x1_convolution_bwd_weights_t``, or its kin for bf16,
  which leaves its memory where threads share an image, such as in an odd batch on two threads: on processors with
  AVX-512, in float32 as in bf16, the process dies there, dies later and elsewhere, or goes on with what it has
  overwritten. Without a stride, with 16 channels or more, with the channels first, or with a larger kernel nothing of
  that kind was seen.
"""

import torch
from torch import Tensor, nn

__all__ = ["mend_convolutions"]

_WIDE_ENOUGH = 16  # channels


def mend_convolutions(module: nn.Module) -> None:
    """Give a module's convolutions the way that is fast and safe to train."""
    for child in module.modules():
        if not isinstance(child, nn.Conv2d):
            continue
        # Same parameters, same names, another forward.
        if child.groups > 1:
            child.__class__ = _Float32Convolution
        elif _is_narrow_shortcut(child):
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


class _SubsampledConvolution(nn.Conv2d):
    """A convolution of one pixel that strides before it computes; what is exported has its stride."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        if not self.training:
            return super().forward(input)
        down, across = self.stride
        chosen = input[:, :, ::down, ::across]  # (B, C, H, W) -> (B, C, H/down, W/across)
        return nn.functional.conv2d(chosen, self.weight, self.bias)
