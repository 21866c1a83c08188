import dataclasses

import pytest
import torch

from edge_infer.errors import UnknownModel
from train.loop.image_sizes import check_image_sizes, resized, size_at
from train.loop.views import training_views
from train.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="x",
    epochs=10,
    batch_size=1,
    learning_rate=1,
    weight_decay=0,
    image_size=64,
    image_sizes=((32, 0.4), (48, 0.4), (64, 0.2)),
    augmentation=Augmentation(noise=0.1),
)


@pytest.mark.parametrize(
    ("progress", "size"), [(0.0, 32), (0.39, 32), (0.41, 48), (0.79, 48), (0.81, 64), (1.0, 64)]
)
def test_sizes_follow_one_another_by_their_shares(progress: float, size: int) -> None:
    assert size_at(RECIPE, progress) == size
    assert size_at(dataclasses.replace(RECIPE, image_sizes=()), progress) == 64


def test_images_and_masks_are_shrunk_on_the_batch() -> None:
    batch = {
        "grey": torch.full((2, 64, 64), 128, dtype=torch.uint8),
        "mask": torch.full((2, 64, 64), 255, dtype=torch.uint8),
        "mask_known": torch.tensor([True, False]),
        "labels": torch.tensor([0, 1]),
        "vary": torch.tensor([True, False]),
    }
    for progress, size in ((0.0, 32), (0.5, 48), (1.0, 64)):
        views = training_views(batch, RECIPE, step=3, progress=progress)
        assert views.masks is not None
        assert views.grey.shape == views.masks.shape == (2, 1, size, size)
        torch.testing.assert_close(views.grey[1], torch.full((1, size, size), 128 / 255))


def test_shrinking_does_not_alias() -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    assert float(resized(stripes, 24).std()) < 0.1
    assert resized(stripes, 64) is stripes


@pytest.mark.parametrize("name", ["vit", "vit-base", "sae"])
def test_models_of_one_size_refuse_several(name: str) -> None:
    with pytest.raises(UnknownModel, match=f"{name} learns .* 32, 48, 64") as refused:
        check_image_sizes(name, RECIPE)
    assert "image_sizes" in refused.value.hint
    check_image_sizes(name, dataclasses.replace(RECIPE, image_sizes=((64, 1.0),)))
    check_image_sizes("cvt13", RECIPE)
