"""Values of PyTorch's layers as numpy arrays, and the sizes of convolutions, for the graphs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Grid", "Weights", "as_array", "bias_of", "folded_batch_norm", "grid_after", "window"]

Weights = NDArray[np.float32]

#: Rows and columns.
Grid = tuple[int, int]


def as_array(parameter: Tensor) -> Weights:
    """Return a parameter's values as float32."""
    values: Weights = parameter.detach().float().numpy()
    return values


def folded_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Weights, Weights]:
    """Fold a batch norm in evaluation mode into the convolution before it: weight and bias."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("the batch norm keeps no statistics, so it cannot be folded")
    factor = as_array(norm.weight) / np.sqrt(as_array(norm.running_var) + np.float32(norm.eps))
    weight = as_array(conv.weight) * factor[:, None, None, None]
    bias = (bias_of(conv) - as_array(norm.running_mean)) * factor + as_array(norm.bias)
    return weight.astype(np.float32), bias.astype(np.float32)


def bias_of(layer: nn.Conv2d | nn.Linear) -> Weights:
    """Return a layer's bias, zeros where it has none."""
    if layer.bias is None:
        return np.zeros(len(layer.weight), np.float32)
    return as_array(layer.bias)


def window(conv: nn.Conv2d) -> dict[str, Any]:
    """Return the attributes of ONNX's Conv."""
    return {
        "kernel_shape": list(conv.kernel_size),
        "strides": list(conv.stride),
        "pads": list(conv.padding) * 2,
        "group": conv.groups,
    }


def grid_after(grid: Grid, conv: nn.Conv2d) -> Grid:
    """Return rows and columns of a convolution's output, given those of its input."""

    def side(size: int, axis: int) -> int:
        return (size + 2 * int(conv.padding[axis]) - conv.kernel_size[axis]) // conv.stride[
            axis
        ] + 1

    return side(grid[0], 0), side(grid[1], 1)
