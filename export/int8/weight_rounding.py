"""Round the weights of a convolution so that their errors cancel out on images, instead of each to the nearest.

The inputs of a convolution are correlated: what rounding one weight changes, the weights not yet rounded can take back.
One after the other is rounded, and its error is spread over the rest in the way that changes the output least for the
calibration images. GPTQ, Frantar et al. 2022, https://arxiv.org/abs/2210.17323, after Optimal Brain Surgeon. It costs
nothing at run time.

For EfficientNet-Lite, whose depthwise convolutions have few weights and whose activations end at 6, rounded weights
cause most of the error of INT8 (docs/gate.md).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.graphs.weights import Weights, padding
from export.model_inputs import ModelInputs

__all__ = ["JointRounding", "rounded"]

#: Added to the diagonal, as a share of its mean, as in the paper: a weight that reads nothing takes no errors.
_DAMPING = 0.01

#: Places of an image that are looked at, about; neighbours say the same.
_PLACES = 400


class JointRounding:
    """Rounds the depthwise and 1 x 1 convolutions of a model, each once for all graphs that are made of it.

    Args:
        model: In evaluation mode.
        calibration: Training images.
    """

    def __init__(self, model: nn.Module, calibration: ModelInputs) -> None:
        self._moments = _input_moments(model, calibration)
        self._known: dict[tuple[nn.Module, int, bytes], NDArray[np.int8]] = {}

    def __contains__(self, conv: nn.Module) -> bool:
        return conv in self._moments

    def values(
        self, conv: nn.Module, weight: Weights, scales: Weights, limit: int
    ) -> NDArray[np.int8]:
        """Return the weights of one of these convolutions, batch norm included, in steps of their scales.

        Args:
            conv: The convolution.
            weight: (out, in, k, k).
            scales: (out,).
            limit: Largest absolute value.
        """
        key = conv, limit, scales.tobytes()
        if key not in self._known:
            self._known[key] = rounded(weight, scales, self._moments[conv], limit)
        return self._known[key]


def rounded(
    weight: Weights, scales: Weights, moments: NDArray[np.float64], limit: int
) -> NDArray[np.int8]:
    """Return weights in steps of their scales.

    Args:
        weight: (out, in, k, k).
        scales: (out,).
        moments: Sums of products of what one output reads: (in, in), or (out, k*k, k*k) for a depthwise convolution.
        limit: Largest absolute value.
    """
    by_channel = moments.ndim == 3
    rest = weight.reshape(len(weight), -1).astype(np.float64)  # (out, inputs)
    diagonal = np.einsum("...ii->...i", moments)
    least = _DAMPING * diagonal.mean(axis=-1, keepdims=True) + 1e-12
    order = np.argsort(-diagonal.sum(axis=0) if by_channel else -diagonal, kind="stable")
    damped = moments + least[..., None] * np.eye(moments.shape[-1])
    damped = damped[..., order, :][..., order]
    # The upper factor of the inverse: its row i says how the error of weight i is spread over those after it.
    factor = np.swapaxes(np.linalg.cholesky(np.linalg.inv(damped)), -1, -2)
    rest, values = rest[:, order], np.empty(rest.shape, np.int8)
    for place in range(rest.shape[1]):
        row = factor[..., place, :]  # (inputs,), or (out, inputs)
        values[:, place] = np.clip(np.rint(rest[:, place] / scales), -limit, limit)
        error = (rest[:, place] - values[:, place] * scales) / row[..., place]
        rest[:, place + 1 :] -= error[:, None] * row[..., place + 1 :]
    result = np.empty_like(values)
    result[:, order] = values
    return result.reshape(weight.shape)


def _input_moments(
    model: nn.Module, calibration: ModelInputs
) -> dict[nn.Module, NDArray[np.float64]]:
    found: dict[nn.Module, Tensor] = {}

    def add(conv: nn.Conv2d, read: Tensor) -> None:
        moments = _moments(conv, read)
        found[conv] = found[conv].add_(moments) if conv in found else moments

    hooks = [
        module.register_forward_hook(lambda conv, inputs, _: add(conv, inputs[0]))
        for module in model.modules()
        if isinstance(module, nn.Conv2d) and (_is_depthwise(module) or _is_pointwise(module))
    ]
    with torch.inference_mode():
        for pixel_values in calibration.batches(1):
            model(torch.from_numpy(pixel_values))
    for hook in hooks:
        hook.remove()
    return {conv: moments.double().numpy() for conv, moments in found.items()}


def _moments(conv: nn.Conv2d, read: Tensor) -> Tensor:
    """Return the sum over places of products of what one output reads; ``read``: (1, C, H, W)."""
    if not _is_depthwise(conv):
        seen = _some(read.flatten(2))[0]  # (C, places)
        return seen @ seen.T
    padded = nn.functional.pad(read.contiguous(), _around(conv, read))
    windows = padded[0]
    for axis in (0, 1):  # (C, H, W) -> (C, rows, columns, k, k)
        reach = (conv.kernel_size[axis] - 1) * conv.dilation[axis] + 1
        windows = windows.unfold(1 + axis, reach, conv.stride[axis])
    windows = windows[..., :: conv.dilation[0], :: conv.dilation[1]]
    step = max(1, round((windows.shape[1] * windows.shape[2] / _PLACES) ** 0.5))
    taps = windows[:, ::step, ::step].flatten(3).flatten(1, 2)  # (C, places, k*k)
    return taps.transpose(1, 2) @ taps


def _some(values: Tensor) -> Tensor:
    """Return every n-th of the last axis, about as many as wanted."""
    return values[..., :: max(1, values.shape[-1] // _PLACES)]


def _around(conv: nn.Conv2d, read: Tensor) -> list[int]:
    """Return the padding as torch wants it: left, right, top, bottom."""
    rows, columns = padding(conv, (read.shape[2], read.shape[3]))
    return [*columns, *rows]


def _is_depthwise(conv: Any) -> bool:
    return bool(conv.groups == conv.in_channels == conv.out_channels)


def _is_pointwise(conv: Any) -> bool:
    return bool(conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1)
