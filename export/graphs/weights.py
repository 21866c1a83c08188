"""Values of PyTorch's layers as numpy arrays, and the sizes of convolutions, for the graphs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from timm.layers import Conv2dSame
from torch import Tensor, nn

__all__ = [
    "Grid",
    "Weights",
    "as_array",
    "bias_of",
    "folded_batch_norm",
    "grid_after",
    "padding",
    "window",
]

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


def window(conv: nn.Conv2d, grid: Grid) -> dict[str, Any]:
    """Return the attributes of ONNX's Conv for an image of ``grid`` rows and columns."""
    starts, ends = zip(*padding(conv, grid), strict=True)
    return {
        "kernel_shape": list(conv.kernel_size),
        "strides": list(conv.stride),
        "pads": [*starts, *ends],
        "group": conv.groups,
        # Left out where it says nothing, so that graphs stay what they were.
        **({"dilations": list(conv.dilation)} if max(conv.dilation) > 1 else {}),
    }


def grid_after(grid: Grid, conv: nn.Conv2d) -> Grid:
    """Return rows and columns of a convolution's output, given those of its input."""
    rows, columns = (
        (size + sum(added) - _reach(conv, axis)) // conv.stride[axis] + 1
        for axis, (size, added) in enumerate(zip(grid, padding(conv, grid), strict=True))
    )
    return rows, columns


def padding(conv: nn.Conv2d, grid: Grid) -> list[tuple[int, int]]:
    """Return by how much rows and columns are padded before and after the image.

    TensorFlow's "same" padding depends on the image, and an odd pixel goes to the end; timm pads when the model runs.
    """
    if not isinstance(conv, Conv2dSame):
        return [(int(side), int(side)) for side in conv.padding]
    result = []
    for axis, size in enumerate(grid):
        stride = conv.stride[axis]
        total = max(0, (-(-size // stride) - 1) * stride + _reach(conv, axis) - size)
        result.append((total // 2, total - total // 2))
    return result


def _reach(conv: nn.Conv2d, axis: int) -> int:
    """Return how many pixels a kernel spans."""
    return (conv.kernel_size[axis] - 1) * conv.dilation[axis] + 1
