"""An image marked as an original goes through a training step as it is."""

import torch

from train.loop.views import training_views
from train.recipe import Augmentation, Mixing, Recipe


def test_originals_stay_and_the_others_are_varied() -> None:
    recipe = Recipe(
        name="x",
        epochs=1,
        batch_size=4,
        learning_rate=1,
        weight_decay=0,
        image_size=8,
        keep_originals=True,
        augmentation=Augmentation(noise=0.2, horizontal_flip=1.0),
        mixing=Mixing(mixup_alpha=1.0),
    )
    generator = torch.Generator().manual_seed(0)
    grey = torch.randint(0, 256, (4, 8, 8), generator=generator, dtype=torch.uint8)
    vary = torch.tensor([True, False, True, False])
    batch = {"grey": grey, "labels": torch.arange(4), "vary": vary}
    views = training_views(batch, recipe, step=3, progress=0.3).grey[:, 0]
    originals = grey.float() / 255
    assert torch.equal(views[~vary], originals[~vary])
    assert all(
        not torch.equal(view, image)
        for view, image in zip(views[vary], originals[vary], strict=True)
    )
