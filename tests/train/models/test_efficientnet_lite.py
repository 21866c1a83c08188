from typing import Any

import pytest
import timm
import torch
from torch import nn

from edge_infer.errors import UnknownModel
from train.models import create_model
from train.models.efficientnet_lite import SCALES
from train.models.output import standardize


def build(**sizes: Any) -> Any:
    torch.manual_seed(1)
    return create_model("efficientnet-lite", 4, image_size=64, sizes=sizes).eval()


@pytest.mark.parametrize(("stride", "grid"), [(32, 2), (16, 4)])
def test_features_have_a_place_for_16_pixels_and_the_last_map_one_for_each_stride(
    stride: int, grid: int
) -> None:
    model, pixel_values = build(output_stride=stride), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert model(pixel_values).evidence.shape == (1, 4, 8, 8), "twice as fine"
        coarse = model.backbone.forward_features(standardize(pixel_values))
        assert coarse.shape == (1, 1280, grid, grid)
        features = model.forward_features(pixel_values)
    assert features.shape == (1, 1280 + 112, 4, 4)
    for down in range(4):  # each coarse place lies behind all places of its own square
        for right in range(4):
            torch.testing.assert_close(
                features[..., :1280, down, right], coarse[..., down * grid // 4, right * grid // 4]
            )


def test_an_image_size_that_places_do_not_fill_is_refused() -> None:
    with pytest.raises(UnknownModel, match="multiple of 32"):
        create_model("efficientnet-lite", 4, image_size=144)


def test_at_224_pixels_the_evidence_of_14_by_14_places_is_twice_as_fine() -> None:
    with torch.inference_mode():
        output = create_model("efficientnet-lite", 4).eval()(torch.rand(1, 3, 224, 224))
    assert output.presence is not None
    assert output.presence.shape == (1, 1, 14, 14)
    assert output.evidence.shape == (1, 4, 28, 28)


def test_both_strides_have_the_same_weights() -> None:
    fine, coarse = (build(output_stride=stride).state_dict() for stride in (16, 32))
    assert {name: it.shape for name, it in fine.items()} == {
        name: it.shape for name, it in coarse.items()
    }


@pytest.mark.parametrize(
    ("scale", "millions"),
    # Table of the reference (tensorflow/tpu, efficientnet/lite), less the layer of 1,000 classes (1.281 M).
    [(0, 4.652 - 1.281), (1, 5.417 - 1.281), (2, 6.092 - 1.281)],
)
def test_a_scale_has_the_size_of_the_reference(scale: int, millions: float) -> None:
    count = sum(parameter.numel() for parameter in build(scale=scale).backbone.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("scale", SCALES)
def test_layers_are_as_the_reference_has_them(scale: int) -> None:
    """ReLU6, no squeeze-and-excitation, TensorFlow's epsilon: 1e-3, where torch's own is 1e-5."""
    modules = list(build(scale=scale).backbone.modules())
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) > 40
    assert {norm.eps for norm in norms} == {1e-3}
    assert any(isinstance(module, nn.ReLU6) for module in modules)
    assert not any(isinstance(module, nn.SiLU | nn.Sigmoid) for module in modules)


@pytest.mark.parametrize("sizes", [{"scale": 3}, {"scale": "0"}, {"output_stride": 8}])
def test_other_scales_and_strides_are_refused(sizes: dict[str, Any]) -> None:
    with pytest.raises(UnknownModel, match=r"scale .* and output stride") as refused:
        build(**sizes)
    assert refused.value.exit_code == 34


@pytest.mark.parametrize("stride", [16, 32])
def test_features_are_those_of_timms_own_model(stride: int) -> None:
    """What this project changes about layers (train.models.convolutions) changes no feature: pretrained weights fit."""
    model = build(output_stride=stride)
    pixel_values = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with (
        torch.inference_mode()
    ):  # statistics of this batch, or the features of fresh weights die out
        model.backbone.train().forward_features(pixel_values)
        model.eval()
    reference = timm.create_model("tf_efficientnet_lite0", output_stride=stride, num_classes=0)
    reference.load_state_dict(model.backbone.state_dict())
    with torch.inference_mode():
        expected = reference.eval().forward_features(pixel_values)
        given = model.backbone.forward_features(pixel_values)
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
