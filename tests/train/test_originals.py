"""A picture marked as an original goes through a training step as it is."""

from types import SimpleNamespace
from typing import Any

import torch

from train.recipe import Augmentation, Recipe
from train.trainer import BrainTrainer


def test_originals_stay_and_the_others_are_varied() -> None:
    recipe = Recipe(
        name="x",
        epochs=1,
        batch_size=4,
        learning_rate=1,
        weight_decay=0,
        keep_originals=True,
        augmentation=Augmentation(noise=0.2, horizontal_flip=1.0),
    )
    trainer: Any = SimpleNamespace(
        recipe=recipe, state=SimpleNamespace(global_step=3, max_steps=10), _progress=lambda: 0.3
    )
    grey = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    vary = torch.tensor([True, False, True, False])
    views = BrainTrainer._augmented(trainer, grey, vary)
    assert torch.equal(views[~vary], grey[~vary])
    assert all(
        not torch.equal(view, picture)
        for view, picture in zip(views[vary], grey[vary], strict=True)
    )
