"""How a run treats present or missing tumour masks, and sizes that a model cannot have."""

import dataclasses
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused, UnknownModel
from train.data.samples import Sample
from train.loop.training import train_model
from train.recipe import MaskGuidance, Recipe

RECIPE = Recipe(
    name="x", epochs=1, batch_size=8, learning_rate=1e-3, weight_decay=0.0, image_size=32
)


def test_a_recipe_that_wants_masks_is_refused_where_there_are_none(
    phantom_samples: list[Sample], tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, mask=MaskGuidance(weight=0.3))
    with pytest.raises(DataRefused, match="needs tumour masks") as refused:
        train_model("cvt_test", phantom_samples, recipe, tmp_path / "run", cache_folder=tmp_path)
    assert "weight" in refused.value.hint


def test_a_model_of_one_size_is_refused_before_a_run_folder_is_made(
    phantom_samples: list[Sample], tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, image_sizes=((16, 0.5), (32, 0.5)))
    with pytest.raises(UnknownModel, match="positions of one image size"):
        train_model("vit", phantom_samples, recipe, tmp_path / "run", cache_folder=tmp_path)
    assert not (tmp_path / "run").exists()
