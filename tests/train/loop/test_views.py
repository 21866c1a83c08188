import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from train.loop.views import Views, training_views
from train.recipe import Augmentation, Mixing, Recipe

RECIPE = Recipe(
    name="x",
    epochs=10,
    batch_size=32,
    learning_rate=1,
    weight_decay=0,
    image_size=16,
    augmentation=Augmentation(rotation_degrees=30, shift=0.2),
    mixing=Mixing(mixup_alpha=1.0, probability=0.5, until=0.8),
)


def batch(count: int = 32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    grey = torch.randint(0, 256, (count, 16, 16), generator=generator, dtype=torch.uint8)
    return {
        "grey": grey,
        "mask": grey,
        "mask_known": torch.arange(count) % 4 > 0,
        "labels": torch.arange(count) % 4,
        "vary": torch.arange(count) % 2 == 0,
    }


def views_at(*, step: int = 3, progress: float = 0.1, **options: bool) -> Views:
    return training_views(batch(), RECIPE, step=step, progress=progress, **options)


def test_the_same_step_sees_the_same_views_and_another_step_others() -> None:
    assert torch.equal(views_at().grey, views_at().grey)
    assert not torch.equal(views_at().grey, views_at(step=4).grey)


def test_a_mixed_image_has_no_mask_to_learn_from() -> None:
    views = views_at()
    assert views.mixture is not None
    assert views.known is not None
    mixed = views.mixture.share < 1
    assert 2 < int(mixed.sum()) < 14  # half of the 16 that may be
    assert not views.known[mixed].any()
    assert torch.equal(views.known[~mixed], batch()["mask_known"][~mixed])


def test_masks_move_with_varied_images_and_stay_with_originals() -> None:
    views, vary = views_at(mix=False), batch()["vary"]
    assert views.masks is not None
    torch.testing.assert_close(views.masks, views.grey)
    given = batch()["grey"][:, None].float() / 255
    assert torch.equal(views.masks[~vary], given[~vary])
    assert not torch.allclose(views.masks[vary], given[vary], atol=0.1)


@pytest.mark.parametrize("views", [views_at(mix=False), views_at(progress=0.8)])
def test_nothing_is_mixed_where_no_labels_are_learned_or_late(views: Views) -> None:
    assert views.mixture is None
    logits = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))
    expected = F.cross_entropy(logits, batch()["labels"], label_smoothing=0.1)
    assert torch.equal(views.label_loss(logits, 0.1), expected)


def test_the_loss_on_a_mixed_image_is_that_on_both_labels_by_their_shares() -> None:
    views = views_at()
    assert views.mixture is not None
    logits = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))
    own, other = (
        F.cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")
        for labels in (views.labels, views.labels[views.mixture.partner])
    )
    share = views.mixture.share
    expected = (share * own + (1 - share) * other).mean()
    torch.testing.assert_close(views.label_loss(logits, 0.1), expected)


def test_augmentation_grows_to_full_strength_at_half_time() -> None:
    growing = dataclasses.replace(
        RECIPE, augmentation=dataclasses.replace(RECIPE.augmentation, strength_from=0.0)
    )
    given = batch()["grey"][:, None].float() / 255

    def change(progress: float) -> float:
        views = training_views(batch(), growing, step=3, progress=progress, mix=False)
        return float((views.grey - given).abs().mean())

    assert change(0.0) < 1e-5 < change(0.2) < change(0.5)
    assert change(0.5) == change(0.7)
