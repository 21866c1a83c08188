"""Convolutions computed in another way than torch's own give the same result, and narrow ones are safe to train."""

import pytest
import torch
from torch import Tensor, nn

from train.models.convolutions import mend_convolutions


def gradients(layer: nn.Conv2d, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    given = images.clone().requires_grad_()
    layer.zero_grad()
    answer = layer(given)
    answer.square().sum().backward()
    assert given.grad is not None
    assert layer.weight.grad is not None
    return answer.detach(), given.grad, layer.weight.grad


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("stride", "size"), [(2, (24, 24)), (2, (25, 7)), (3, (24, 20))])
def test_a_narrow_shortcut_gives_what_torch_gives(
    training: bool, stride: int, size: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 8, *size, generator=generator)
    layer = nn.Conv2d(8, 16, kernel_size=1, stride=stride)  # channels first: torch's own is safe
    expected = gradients(layer, images)
    mend_convolutions(layer)
    assert type(layer) is not nn.Conv2d
    layer.train(training)
    for given, wanted in zip(gradients(layer, images), expected, strict=True):
        torch.testing.assert_close(given, wanted, rtol=1e-5, atol=1e-5)  # sums in another order


def test_a_narrow_shortcut_never_hands_torch_a_stride_while_it_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, ...]] = []
    own = nn.functional.conv2d

    def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None, *more: object) -> Tensor:  # noqa: A002
        asked.append((*input.shape, *map(str, more)))  # type: ignore[arg-type]
        return own(input, weight, bias)

    layer = nn.Conv2d(8, 16, kernel_size=1, stride=2)
    mend_convolutions(layer)
    monkeypatch.setattr(nn.functional, "conv2d", conv2d)
    layer(torch.rand(3, 8, 24, 24))
    assert asked == [(3, 8, 12, 12)]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(16, 16, kernel_size=1, stride=2),
        nn.Conv2d(8, 16, kernel_size=1),
        nn.Conv2d(8, 16, kernel_size=3, stride=2, padding=1),
        nn.Conv2d(8, 16, kernel_size=1, stride=2, padding=1),
    ],
    ids=["wide", "without a stride", "larger", "padded"],
)
def test_other_layers_stay_torchs_own(layer: nn.Conv2d) -> None:
    mend_convolutions(nn.Sequential(layer))
    assert type(layer) is nn.Conv2d


def test_a_depthwise_layer_leaves_bf16_autocast_and_no_other_does() -> None:
    layers = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3))
    mend_convolutions(layers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = layers[0](torch.rand(1, 8, 9, 9))
        second = layers[1](first)
    assert (first.dtype, second.dtype) == (torch.float32, torch.bfloat16)
