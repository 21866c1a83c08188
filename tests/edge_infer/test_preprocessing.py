"""Golden numbers: transformers' own image processors on the same preprocessor_config.json."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import scan

from edge_infer.errors import BundleIncompatible
from edge_infer.preprocessing import PreprocessorConfig, preprocess, to_pixel_values

SIZES = [(64, 48), (512, 512), (200, 256), (16, 16), (630, 337)]
CONFIGS = {
    "bilinear": PreprocessorConfig(height=96, width=96),
    "bicubic, imagenet": PreprocessorConfig(
        height=112,
        width=128,
        resample=3,
        image_mean=(0.485, 0.456, 0.406),
        image_std=(0.229, 0.224, 0.225),
    ),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("size", SIZES)
def test_pixel_values_equal_those_of_transformers(
    size: tuple[int, int], config: PreprocessorConfig, tmp_path: Path
) -> None:
    processors = pytest.importorskip("transformers.models.vit.image_processing_pil_vit")
    (tmp_path / "preprocessor_config.json").write_text(config.to_json())
    reference = processors.ViTImageProcessorPil.from_pretrained(tmp_path)
    image = scan(3, size)
    expected = reference(image.convert("RGB"), return_tensors="np")["pixel_values"]
    # The same Pillow filter on the same bytes; only the order of float32 operations differs.
    np.testing.assert_allclose(preprocess(image, config), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", SIZES)
def test_pixel_values_are_near_those_of_the_torchvision_processor(
    size: tuple[int, int], tmp_path: Path
) -> None:
    pytest.importorskip("torchvision")
    from transformers import ViTImageProcessor

    config = CONFIGS["bilinear"]
    (tmp_path / "preprocessor_config.json").write_text(config.to_json())
    reference = ViTImageProcessor.from_pretrained(tmp_path)
    image = scan(3, size)
    expected = np.asarray(reference(image.convert("RGB"), return_tensors="np")["pixel_values"])
    # torchvision's antialiased uint8 filter rounds its weights differently: one grey level.
    np.testing.assert_allclose(preprocess(image, config), expected, rtol=0, atol=1 / 255 + 1e-6)


def test_pixel_values_are_grey_on_three_channels_between_0_and_1() -> None:
    values = preprocess(scan(), PreprocessorConfig(height=32, width=40))
    assert values.shape == (1, 3, 32, 40)
    assert values.dtype == np.float32
    assert 0 <= values.min() < values.max() <= 1
    assert np.array_equal(values[:, 0], values[:, 2])


def test_a_stack_is_prepared_as_its_images_are() -> None:
    config = CONFIGS["bicubic, imagenet"]
    grey = np.random.default_rng(0).integers(0, 256, (3, 112, 128), dtype=np.uint8)
    stacked = to_pixel_values(grey, config)
    alone = np.concatenate([to_pixel_values(image[None], config) for image in grey])
    assert np.array_equal(stacked, alone)


def test_the_config_survives_its_json() -> None:
    for config in CONFIGS.values():
        assert PreprocessorConfig.from_dict(json.loads(config.to_json())) == config


@pytest.mark.parametrize(
    "change",
    [
        {"do_resize": False},
        {"do_rescale": None},
        {"do_normalize": False},
        {"do_center_crop": True},
        {"size": {"shortest_edge": 96}},
        {"size": {"height": 4, "width": 96}},
        {"resample": 9},
        {"image_std": [0, 1, 1]},
        {"image_mean": [0, 1]},
        {"rescale_factor": None},
    ],
    ids=str,
)
def test_steps_that_are_not_done_here_are_refused(change: dict[str, object]) -> None:
    fields = {**json.loads(CONFIGS["bilinear"].to_json()), **change}
    with pytest.raises(BundleIncompatible) as caught:
        PreprocessorConfig.from_dict(fields)
    assert caught.value.exit_code == 32


def test_a_colour_image_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="mode is RGB"):
        preprocess(Image.new("RGB", (64, 64)), CONFIGS["bilinear"])
