"""A training step on a pretended GPU: devices kept apart, no empty batch, the same numbers as on the CPU."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from pretend_gpu import GPU, on_cpu, on_gpu, pretend_gpu
from strong_augmentation import STRONG
from torch import Generator, Tensor

from edge_infer.preprocessing import PreprocessorConfig
from train import augmentation
from train.augmentation import augment
from train.augmentation.covers import add_frames
from train.augmentation.draws import chance, on_some
from train.augmentation.jpeg import compress
from train.augmentation.sharpness import blur, lower_resolution
from train.loop.grey_batches import pixel_values_from_grey
from train.loop.mask_loss import mask_loss
from train.loop.phase_run import OneDevice
from train.loop.views import training_views
from train.recipe import Mixing, Recipe

RECIPE = Recipe(
    name="x",
    epochs=1,
    batch_size=6,
    learning_rate=1,
    weight_decay=0,
    image_size=24,
    image_sizes=((16, 0.5), (24, 0.5)),
    label_smoothing=0.1,
    augmentation=STRONG,
)


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def batch() -> dict[str, Tensor]:
    grey = torch.randint(0, 256, (6, 32, 32), dtype=torch.uint8, generator=seeded(0))
    return {
        "grey": grey,
        "labels": torch.arange(6) % 4,
        "vary": torch.arange(6) != 2,
        "mask": (grey > 127).to(torch.uint8) * 255,
        "mask_known": torch.arange(6) < 4,
    }


def losses(inputs: dict[str, Tensor], recipe: Recipe, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixel values of a step, and losses of evidence made from them."""
    views = training_views(inputs, recipe, step=step, progress=step / 8)
    pixel_values = pixel_values_from_grey(views.grey, PreprocessorConfig(height=24, width=24))
    evidence = F.avg_pool2d(torch.cat([pixel_values, pixel_values[:, :1] ** 2], dim=1), 8)
    label_loss = views.label_loss(evidence.mean(dim=(2, 3)), recipe.label_smoothing)
    assert views.masks is not None
    assert views.known is not None
    return pixel_values, label_loss, mask_loss(evidence, views.labels, views.masks, views.known)


@pytest.mark.parametrize(
    "mixing",
    [Mixing(), Mixing(mixup_alpha=0.4), Mixing(cutmix_alpha=1.0, probability=0.5)],
    ids=["unmixed", "mixup", "cutmix"],
)
@pytest.mark.parametrize("strength", [0.0, 1.0])  # at 0 nothing is chosen, and batches are empty
def test_a_step_on_a_gpu_is_the_step_on_the_cpu(mixing: Mixing, strength: float) -> None:
    settings = dataclasses.replace(STRONG, strength_from=strength)
    recipe = dataclasses.replace(RECIPE, augmentation=settings, mixing=mixing)
    for step in range(8):
        expected = losses(batch(), recipe, step)
        with pretend_gpu():
            given = losses({name: on_gpu(value) for name, value in batch().items()}, recipe, step)
        for one, other in zip(given, expected, strict=True):
            assert torch.equal(on_cpu(one), other)


def test_the_pretended_gpu_refuses_what_a_gpu_refuses() -> None:
    with pretend_gpu():
        there, here = on_gpu(torch.ones(2, 1, 4, 4)), torch.ones(2, 1, 1, 1)
        assert torch.equal(on_cpu(there + here.to(GPU)), torch.full((2, 1, 4, 4), 2.0))
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        with pytest.raises(RuntimeError, match="found one of the CPU"):
            torch.rand(3, generator=seeded(0), device=GPU)
        with pytest.raises(RuntimeError, match="invalid argument"):
            lower_resolution(there[:0], seeded(0))


def refuse(_: Tensor, __: Generator) -> Tensor:
    raise AssertionError("no image was chosen")


@pytest.mark.parametrize(
    ("change", "drawn_at_once"), [(lower_resolution, 1), (blur, 0), (compress, 0), (add_frames, 0)]
)
def test_later_draws_do_not_change_if_no_image_is_chosen(
    change: Callable[[Tensor, Generator], Tensor], drawn_at_once: int
) -> None:
    grey = torch.rand(6, 1, 24, 20, generator=seeded(9))
    called, spared = seeded(4), seeded(4)
    chance(grey, 0.0, called)
    change(grey[:0], called)
    assert on_some(grey, 0.0, spared, refuse, drawn_at_once=drawn_at_once) is grey
    assert torch.equal(called.get_state(), spared.get_state())


def test_a_resumed_run_sees_the_images_it_saw_when_empty_batches_were_changed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def formerly(
        grey: Tensor,
        probability: float,
        generator: Generator,
        change: Callable[[Tensor, Generator], Tensor],
        **_: int,
    ) -> Tensor:
        chosen = chance(grey, probability, generator).flatten().nonzero().flatten()
        return grey.index_copy(0, chosen, change(grey[chosen], generator))

    grey = torch.rand(2, 1, 24, 20, generator=seeded(9))  # so few that often none is chosen
    now = [augment(grey, STRONG, seeded(seed), strength=0.5) for seed in range(20)]
    monkeypatch.setattr(augmentation, "on_some", formerly)
    for seed, views in enumerate(now):
        assert torch.equal(views, augment(grey, STRONG, seeded(seed), strength=0.5))


def test_of_several_gpus_one_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    arguments = OneDevice(output_dir=str(tmp_path), per_device_train_batch_size=32, use_cpu=True)
    assert arguments.device.type == "cpu"
    assert arguments.n_gpu == 0
    monkeypatch.setattr(arguments, "_n_gpu", 4)
    assert arguments.n_gpu == 1, "transformers would wrap the model in DataParallel"
    assert arguments.train_batch_size == 32, "the recipe's, not four times as many"
