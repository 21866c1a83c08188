from dataclasses import replace
from pathlib import Path

import pytest
from masked_phantoms import write_masked_phantoms

from edge_infer.classes import BRAIN, Classes
from train.data.samples import Sample
from train.loop.class_fit import fitted_to_classes
from train.recipe import Counterfactuals, MaskGuidance, Recipe, read_recipe

PLAIN = Recipe(name="x", epochs=1, batch_size=8, learning_rate=1e-3, weight_decay=0.0)
MASKED = replace(PLAIN, mask=MaskGuidance(weight=1.0))
WHOLE = Classes(("torn", "whole"), "whole")


def samples_of(classes: Classes) -> list[Sample]:
    return [
        Sample(source=b"", name=f"{label}.png", label=label, split="train", classes=classes)
        for label in range(len(classes))
    ]


def test_nothing_is_changed_for_the_brain_classes() -> None:
    recipe = replace(MASKED, counterfactual=Counterfactuals(removed=0.1))
    assert fitted_to_classes(recipe, "efficientnet-lite", samples_of(BRAIN)) == (recipe, [])


def test_without_a_negative_class_the_head_asks_one_question() -> None:
    samples = samples_of(Classes(("a", "b")))
    fitted, changes = fitted_to_classes(PLAIN, "efficientnet-lite", samples)
    assert fitted == replace(PLAIN, model={"head": "mean"})
    assert len(changes) == 1
    assert "--negative" in changes[0]
    # Others ask one question anyway, or have no choice.
    assert fitted_to_classes(PLAIN, "cvt13", samples) == (PLAIN, [])
    assert fitted_to_classes(PLAIN, "resnet18", samples) == (PLAIN, [])


def test_with_a_negative_class_the_head_stays() -> None:
    assert fitted_to_classes(PLAIN, "efficientnet-lite", samples_of(WHOLE)) == (PLAIN, [])


def test_masks_that_are_not_there_are_left_out() -> None:
    fitted, changes = fitted_to_classes(
        replace(MASKED, counterfactual=Counterfactuals(pasted=0.2)), "cvt13", samples_of(WHOLE)
    )
    assert fitted == PLAIN
    assert len(changes) == 2


def test_masks_that_are_there_are_used(tmp_path: Path) -> None:
    found = write_masked_phantoms(tmp_path / "set", each=1)
    own = [replace(x, classes=Classes(BRAIN.names, "glioma")) for x in found]
    recipe = replace(MASKED, counterfactual=Counterfactuals(pasted=0.2))
    assert fitted_to_classes(recipe, "cvt13", own) == (recipe, [])


@pytest.mark.parametrize(
    ("recipe", "changed"),
    [
        (replace(MASKED, counterfactual=Counterfactuals(pasted=0.2)), True),
        (replace(PLAIN, model={"head": "two-questions"}), False),
        (PLAIN, True),  # it does not say which head
    ],
)
def test_a_recipe_that_was_named_is_taken_at_its_word(recipe: Recipe, changed: bool) -> None:
    samples = samples_of(Classes(("a", "b")))
    fitted, _ = fitted_to_classes(recipe, "efficientnet-lite", samples, named=True)
    assert fitted.counterfactual == recipe.counterfactual
    assert fitted.mask == recipe.mask
    assert (fitted.model != recipe.model) is changed


@pytest.mark.parametrize("model", ["efficientnet-lite", "cvt-slim", "cvt13", "vit", "resnet18"])
def test_the_default_recipes_fit_any_classes(model: str) -> None:
    fitted, _ = fitted_to_classes(
        read_recipe(f"{model}-cpu"), model, samples_of(Classes(("a", "b")))
    )
    assert not fitted.mask.weight
    assert not fitted.counterfactual.most
    assert fitted.model.get("head", "mean") == "mean"
