import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from train.augmentation import augment_with_masks
from train.augmentation.covers import add_frames
from train.augmentation.jpeg import compress
from train.counterfactuals.cache import TwinCache
from train.loop.grey_batches import GreyImages, pixel_values_from_grey
from train.recipe import Augmentation, Counterfactuals

HEALTHY = LABELS.index("no_tumor")
IMAGENET = PreprocessorConfig(
    height=16, width=16, image_mean=(0.485, 0.456, 0.406), image_std=(0.229, 0.224, 0.225)
)


@pytest.mark.parametrize(
    "config",
    [
        PreprocessorConfig(height=16, width=16),
        PreprocessorConfig(height=16, width=16, rescale_factor=1 / 127.5),
        IMAGENET,
    ],
)
def test_training_scales_images_as_the_runtime_does(config: PreprocessorConfig) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)
    in_torch = pixel_values_from_grey(torch.from_numpy(grey)[:, None].float() / 255, config)
    assert in_torch.shape == (3, 3, 16, 16) or config.image_mean == (0.0, 0.0, 0.0)
    expected = to_pixel_values(grey, config)
    np.testing.assert_allclose(in_torch.numpy(), expected, rtol=0, atol=2e-6)
    assert in_torch.shape == expected.shape


def test_images_on_a_gpu_are_varied_and_scaled_there() -> None:
    # No GPU is needed: fake tensors know their device and refuse to mix two. Changes of some images need to know how
    # many, which fake tensors do not: test_on_gpu.py tests those.
    settings = Augmentation(
        rotation_degrees=9,
        gamma=0.1,
        contrast=0.1,
        brightness=0.1,
        noise=0.1,
        erase=0.5,
        quarter_turns=0.5,
        contrast_curve=0.5,
        non_monotone=0.5,
        bias_field=0.5,
    )
    with FakeTensorMode(shape_env=ShapeEnv()):
        grey = torch.empty(2, 1, 16, 16, device="cuda")
        generator = torch.Generator().manual_seed(0)
        views, masks = augment_with_masks(grey, grey, settings, generator)
        assert masks is not None
        assert masks.device.type == "cuda"
        views = add_frames(compress(views, generator), generator)
        pixel_values = pixel_values_from_grey(views, IMAGENET)
    assert (pixel_values.device.type, pixel_values.shape) == ("cuda", (2, 3, 16, 16))


def test_a_part_holds_its_own_rows_and_labels() -> None:
    pixels = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    pixels.setflags(write=False)  # as a memory map is
    part = GreyImages(pixels, [4, 1], [3, 0])
    assert len(part) == 2
    assert part[0]["grey"].tolist() == [[16, 17], [18, 19]]
    assert [int(part[index]["labels"]) for index in range(2)] == [3, 0]
    assert part[0]["grey"].dtype == torch.uint8
    part[1]["grey"].zero_()
    assert part[1]["grey"].tolist() == [[4, 5], [6, 7]]


def test_with_originals_each_image_comes_twice_once_to_be_varied() -> None:
    pixels = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    part = GreyImages(pixels, [2, 0], [3, 1], with_originals=True)
    drawn = [part[index] for index in range(len(part))]
    assert [item["vary"].item() for item in drawn] == [True, True, False, False]
    assert [item["labels"].item() for item in drawn] == [3, 1, 3, 1]
    assert torch.equal(drawn[0]["grey"], drawn[2]["grey"])
    assert part.labels.tolist() == [3, 1, 3, 1], "as the sampler sees it"


def test_without_originals_all_are_varied() -> None:
    part = GreyImages(np.zeros((2, 2, 2), np.uint8), [0, 1], [0, 0])
    assert [part[index]["vary"].item() for index in range(2)] == [True, True]


def test_masks_come_with_their_images_where_they_are_given() -> None:
    pixels = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    masks = np.full((3, 2, 2), 255, np.uint8) * np.array([0, 1, 0], np.uint8)[:, None, None]
    part = GreyImages(pixels, [1, 2], [3, 0], masks=(masks, np.array([False, True, False])))
    assert [bool(part[index]["mask_known"]) for index in range(2)] == [True, False]
    assert part[0]["mask"].tolist() == [[255, 255], [255, 255]]
    assert part[1]["mask"].tolist() == [[0, 0], [0, 0]]
    assert "mask" not in GreyImages(pixels, [1], [3])[0]


def test_copy_groups_are_numbered_and_originals_are_groups_of_their_own() -> None:
    pixels = np.zeros((9, 2, 2), np.uint8)
    part = GreyImages(pixels, [1, 4, 8], [0, 0, 0], copies=[7, 3, 7])
    assert part.copies is not None
    assert part.copies.tolist() == [1, 0, 1]
    assert (len(part), part.drawn) == (3, 2)
    twice = GreyImages(pixels, [1, 4, 8], [0] * 3, copies=[7, 3, 7], with_originals=True)
    assert twice.copies is not None
    assert twice.copies.tolist() == [1, 0, 1, 3, 2, 3]
    assert (len(twice), twice.drawn) == (6, 4)
    assert GreyImages(pixels, [1, 4, 8], [0] * 3).drawn == 3


@pytest.fixture
def with_twins() -> GreyImages:
    """Rows 3, 0 and 2 of five: a tumour with all twins, a healthy head with all, a tumour without any."""

    def filled(*levels: int) -> np.ndarray:
        return np.stack([np.full((2, 2), level, np.uint8) for level in levels])

    twins = TwinCache(
        changed=filled(101, 102, 0),
        changed_labels=np.array([HEALTHY, 1, -1]),
        changed_masks=filled(0, 255, 0),
        harmless=filled(201, 202, 0),
        has_harmless=np.array([True, True, False]),
    )
    masks = (filled(0, 0, 0, 255, 0), np.array([False, False, False, True, False]))
    recipe = Counterfactuals(removed=0.3, pasted=0.2, harmless=0.1)
    return GreyImages(
        filled(10, 11, 12, 13, 14), [3, 0, 2], [0, HEALTHY, 1], masks=masks, twins=(twins, recipe)
    )


@pytest.mark.parametrize(
    ("index", "grey", "label", "mask", "known"),
    [
        (0, 13, 0, 255, True),
        (1, 10, HEALTHY, 0, False),
        (2, 12, 1, 0, False),
        (3, 101, HEALTHY, 0, True),  # removed
        (4, 102, 1, 255, True),  # pasted
        (6, 201, 0, 255, True),  # a harmless change beside the tumour
        (7, 202, HEALTHY, 0, True),  # and in a healthy head
    ],
)
def test_a_twin_brings_its_own_image_label_and_mask(
    with_twins: GreyImages, index: int, grey: int, label: int, mask: int, known: bool
) -> None:
    item = with_twins[index]
    assert set(item) == {"grey", "labels", "vary", "mask", "mask_known"}
    assert item["grey"].tolist() == [[grey] * 2] * 2
    assert item["mask"].tolist() == [[mask] * 2] * 2
    assert (int(item["labels"]), bool(item["mask_known"]), bool(item["vary"])) == (
        label,
        known,
        True,
    )
    for key, value in with_twins[0].items():  # or they could not be stacked
        assert (item[key].dtype, item[key].shape) == (value.dtype, value.shape)


def test_images_are_replaced_as_the_recipe_says_where_they_have_twins(
    with_twins: GreyImages,
) -> None:
    assert with_twins.replace is not None
    assert with_twins.replace.dtype == torch.float32
    expected = torch.tensor([[0.3, 0.2, 0], [0.1, 0.1, 0]])
    torch.testing.assert_close(with_twins.replace, expected, rtol=0, atol=0)
    assert (len(with_twins), with_twins.drawn) == (3, 3)
    assert with_twins.labels.tolist() == [0, HEALTHY, 1]


def test_there_is_nothing_behind_the_last_twin_and_without_twins_behind_the_last_image(
    with_twins: GreyImages,
) -> None:
    with pytest.raises(IndexError):
        with_twins[9]
    part = GreyImages(np.zeros((4, 2, 2), np.uint8), [0, 1], [0, 0])
    assert part.replace is None
    with pytest.raises(IndexError):
        part[2]
    assert len(list(part)) == 2
