"""Convolutions computed in another way than torch's own give the same result, and narrow ones are safe to train."""

import pytest
import torch
from timm.layers import Conv2dSame
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


@pytest.mark.parametrize("size", [(24, 24), (25, 7)])
@pytest.mark.parametrize("bf16", [True, False])
def test_a_depthwise_layer_with_tensorflows_padding_keeps_it(
    bf16: bool, size: tuple[int, int]
) -> None:
    images = torch.rand(3, 8, *size, generator=torch.Generator().manual_seed(0))
    layer = Conv2dSame(8, 8, 5, stride=2, groups=8)
    expected = gradients(layer, images)
    assert expected[0].shape == (3, 8, (size[0] + 1) // 2, (size[1] + 1) // 2)
    mend_convolutions(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        for given, wanted in zip(gradients(layer, images), expected, strict=True):
            assert given.dtype == torch.float32
            torch.testing.assert_close(given, wanted, rtol=0, atol=0)


def test_a_layer_that_computes_something_of_its_own_is_left_alone() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002
            return 2 * super().forward(input)

    for layer in (Doubled(8, 8, 3, groups=8), Doubled(8, 16, 1, stride=2)):
        mend_convolutions(layer)
        assert type(layer) is Doubled
