from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from edge_infer.preprocessing import PreprocessorConfig
from train.loop.grey_batches import GreyImages
from train.loop.late_average import try_late_average
from train.loop.weight_average import exponential_average, mean_of_weights
from train.models import create_model
from train.recipe import Augmentation, Recipe

BEST = 0.8


def trainer(accuracy: float, *, ema: bool = False) -> Any:
    """The part of a trainer that ``try_late_average`` uses, with a model of 32 px; validation is a given number."""
    torch.manual_seed(0)
    model = create_model("cvt_test", 4)
    late = mean_of_weights(model)
    late.update_parameters(model)
    for parameter in model.parameters():
        parameter.data.mul_(3)
    late.update_parameters(model)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 32, 32), dtype=np.uint8)
    return SimpleNamespace(
        model=model,
        late=late,
        average=exponential_average(model, 0.9, 1) if ema else None,
        recipe=Recipe(
            name="x",
            epochs=2,
            batch_size=4,
            learning_rate=1,
            weight_decay=0,
            image_size=32,
            augmentation=Augmentation(noise=0.1),
        ),
        preprocessor=PreprocessorConfig(height=32, width=32),
        train_dataset=GreyImages(pixels, list(range(9)), [0, 1, 2] * 3),
        args=SimpleNamespace(device=torch.device("cpu")),
        state=SimpleNamespace(best_metric=BEST),
        get_eval_dataloader=lambda: None,
        evaluation_loop=lambda *_, **__: SimpleNamespace(metrics={"late_accuracy": accuracy}),
    )


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("accuracy", [0.7, BEST])
def test_a_mean_that_is_no_better_leaves_the_best_epoch(accuracy: float) -> None:
    given = trainer(accuracy)
    before = state(given.model)
    late = try_late_average(given)
    assert late is not None
    assert (late.epochs, late.val_accuracy, late.kept) == (2, accuracy, False)
    after = state(given.model)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_better_mean_is_kept_with_statistics_of_its_own() -> None:
    given = trainer(0.9)
    randomness = torch.random.get_rng_state()
    late = try_late_average(given)
    assert late is not None
    assert late.kept
    assert torch.equal(torch.random.get_rng_state(), randomness)
    mean, after = state(given.late.module), state(given.model)
    learned = {name for name, _ in given.model.named_parameters()}
    assert all(torch.equal(mean[name], after[name]) for name in learned)
    running = [name for name in after if name.endswith("running_var")]
    assert running
    assert not any(torch.equal(mean[name], after[name]) for name in running)
    again = trainer(0.9)
    try_late_average(again)
    assert all(torch.equal(again.model.state_dict()[name], after[name]) for name in after)


def test_the_mean_of_exponential_averages_keeps_their_statistics() -> None:
    given = trainer(0.9, ema=True)
    assert try_late_average(given) is not None
    mean, after = state(given.late.module), state(given.model)
    assert all(torch.equal(mean[name], after[name]) for name in mean)


def test_without_a_mean_nothing_is_tried() -> None:
    assert try_late_average(SimpleNamespace(late=None)) is None  # type: ignore[arg-type]
