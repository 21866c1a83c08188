from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from timm.layers import Conv2dSame
from torch import nn

from edge_infer.preprocessing import PreprocessorConfig
from export.int8.weight_rounding import JointRounding, rounded
from export.model_inputs import ModelInputs

LIMIT = 7  # coarse, so that rounding shows


class Correlated(nn.Module):
    """A convolution whose input channels and places are correlated, as those of trained networks are."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, conv.in_channels, 5, padding=2)
        self.second = conv

    def forward(self, pixel_values: Any) -> Any:
        return self.second(torch.relu(self.first(pixel_values)))


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    grey = np.random.default_rng(0).integers(0, 256, (6, 16, 16), dtype=np.uint8)
    return ModelInputs(grey, PreprocessorConfig(height=16, width=16))


CONVOLUTIONS = {
    "1 x 1": lambda: nn.Conv2d(12, 8, 1, bias=False),
    "depthwise": lambda: nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False),
    "dilated": lambda: nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=12, bias=False),
    "same": lambda: Conv2dSame(12, 12, 5, stride=2, groups=12, bias=False),
}


@pytest.mark.parametrize("kind", list(CONVOLUTIONS))
def test_the_output_changes_less_than_with_the_nearest_values(
    inputs: ModelInputs, kind: str
) -> None:
    model = Correlated(CONVOLUTIONS[kind]()).eval()
    weight = model.second.weight.detach().numpy()
    scales = np.abs(weight).reshape(len(weight), -1).max(axis=1) / LIMIT
    rounding = JointRounding(model, inputs)
    assert model.second in rounding
    assert model.first not in rounding
    together = rounding.values(model.second, weight, scales, LIMIT)
    alone = np.rint(weight / scales[:, None, None, None]).astype(np.int8)
    assert together.dtype == np.int8
    assert np.abs(together).max() <= LIMIT
    assert error(model, together, scales, inputs) < 0.7 * error(model, alone, scales, inputs)


def error(
    model: Any, values: NDArray[np.int8], scales: NDArray[np.float32], inputs: ModelInputs
) -> float:
    pixel_values = torch.from_numpy(inputs.pixel_values())
    kept = model.second.weight.detach().clone()
    with torch.no_grad():
        expected = model(pixel_values)
        model.second.weight.copy_(torch.from_numpy(values * scales[:, None, None, None]))
        given = model(pixel_values)
        model.second.weight.copy_(kept)
    return float((given - expected).square().mean())


def test_inputs_that_are_not_correlated_leave_each_weight_to_itself() -> None:
    weight = np.random.default_rng(1).normal(size=(5, 6, 1, 1)).astype(np.float32)
    scales = np.full(5, 0.2, np.float32)
    given = rounded(weight, scales, np.eye(6), 127)
    assert np.array_equal(given, np.rint(weight / 0.2).astype(np.int8))


def test_inputs_that_are_always_zero_are_no_error() -> None:
    weight = np.ones((4, 1, 3, 3), np.float32)
    given = rounded(weight, np.full(4, 0.1, np.float32), np.zeros((4, 9, 9)), 127)
    assert (given == 10).all()
