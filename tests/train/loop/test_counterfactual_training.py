"""A short training with counterfactual images, from the data set to the weights."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from masked_phantoms import write_masked_phantoms
from PIL import Image
from safetensors.torch import load_file

from edge_infer.errors import DataRefused
from edge_infer.preprocessing import PreprocessorConfig
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.data.tumour_masks import mask_file
from train.loop import trainer, training
from train.loop.grey_batches import GreyImages
from train.loop.training import train_model
from train.recipe import Augmentation, Counterfactuals, MaskGuidance, Recipe

RECIPE = Recipe(
    name="twins",
    epochs=2,
    batch_size=8,  # of 32 images
    learning_rate=2e-3,
    weight_decay=0.05,
    image_size=32,
    bf16=False,
    seed=7,
    augmentation=Augmentation(rotation_degrees=10, horizontal_flip=0.5),
    counterfactual=Counterfactuals(removed=0.4, pasted=0.4, harmless=0.3),
    mask=MaskGuidance(weight=0.3),
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """32 images to train on, 32 to validate with."""
    folder = tmp_path_factory.mktemp("set") / "set"
    return [
        dataclasses.replace(sample, split="train" if sample.split == "train" else "val")
        for sample in write_masked_phantoms(folder, each=8)
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def train(
    samples: list[Sample], run: Path, cache: Path, recipe: Recipe = RECIPE, **more: Any
) -> None:
    train_model("cvt_test", samples, recipe, run, cache_folder=cache, report_to="none", **more)


def test_a_stopped_run_ends_with_the_weights_of_an_unbroken_one(
    samples: list[Sample],
    cache: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []
    whole = GreyImages.__getitem__

    def noted(self: GreyImages, index: int) -> dict[str, torch.Tensor]:
        if self.twins is not None:
            drawn.append(index // len(self))
        return whole(self, index)

    with monkeypatch.context() as patched, caplog.at_level(logging.INFO):
        patched.setattr(GreyImages, "__getitem__", noted)
        train(samples, tmp_path / "unbroken", cache)
    # 64 draws, of which about 45 are twins; a harmless one asks for its image too.
    assert set(drawn) == {0, 1, 2}
    assert "counterfactual images: 32 of 32 made (100 %)" in caplog.messages
    made = sorted(path.name for path in cache.iterdir())

    views, stopped = trainer.training_views, tmp_path / "stopped"

    def stop_in_the_second_epoch(*given: Any, step: int, **options: Any) -> Any:
        if step == 5:
            raise KeyboardInterrupt
        return views(*given, step=step, **options)

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "training_views", stop_in_the_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            train(samples, stopped, cache)
    assert list(stopped.glob("checkpoint-*/COMPLETE"))
    assert not (stopped / "checkpoint").exists()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        train(samples, stopped, cache, resume=True)
    assert not [message for message in caplog.messages if "counterfactual images" in message]
    assert sorted(path.name for path in cache.iterdir()) == made
    # What was kept may be of the first epoch: the last one counts too.
    for file in ("checkpoint/model.safetensors", "checkpoint-8/weights.safetensors"):
        first, second = load_file(tmp_path / "unbroken" / file), load_file(stopped / file)
        assert [name for name in first if not torch.equal(first[name], second[name])] == []

    without = dataclasses.replace(RECIPE, counterfactual=Counterfactuals())
    train(samples, tmp_path / "without", cache, recipe=without)
    other = load_file(tmp_path / "without" / "checkpoint-8" / "weights.safetensors")
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_changed_mask_gives_other_counterfactual_images(
    tmp_path: Path,
) -> None:
    samples = write_masked_phantoms(tmp_path / "set")
    rows = [row for row, sample in enumerate(samples) if sample.split == "train"]
    config = PreprocessorConfig(height=32, width=32)

    def removed() -> Any:
        folder = tmp_path / "cache"
        cache = PixelCache.build(samples, config, folder)
        images = training._train_images(samples, rows, cache, config, RECIPE, folder)
        assert images.twins is not None
        assert images.replace is not None
        assert images.replace.shape == (2, len(rows))
        return images.twins.changed[0].copy()

    first = removed()
    np.testing.assert_array_equal(removed(), first)
    file = mask_file(samples[rows[0]])
    assert file is not None
    larger = np.zeros((64, 64), dtype=bool)
    larger[14:40, 34:58] = True
    Image.fromarray(larger).save(file)
    assert not np.array_equal(removed(), first)


def test_a_recipe_that_wants_counterfactual_images_is_refused_where_there_are_no_masks(
    phantom_samples: list[Sample], tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, mask=MaskGuidance())
    with pytest.raises(DataRefused, match=r"\[counterfactual\] needs tumour masks"):
        train(phantom_samples, tmp_path / "run", tmp_path, recipe=recipe)
