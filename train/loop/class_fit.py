"""A recipe made for brain tumours, fitted to other classes: no masks, or no class that says nothing is there.

What the recipe that a model has by default cannot have is left out, and it is said. A recipe that was named is taken at
its word: what it states and the data set lacks is an error; only a head that it does not state is chosen.
"""

import inspect
from collections.abc import Sequence
from dataclasses import replace

from train.data.samples import Sample, classes_of
from train.data.tumour_masks import mask_file
from train.models import MODELS
from train.recipe import Counterfactuals, MaskGuidance, Recipe

__all__ = ["fitted_to_classes"]

_TWO_QUESTIONS, _MEAN = "two-questions", "mean"


def fitted_to_classes(
    recipe: Recipe, model: str, samples: Sequence[Sample], *, named: bool = False
) -> tuple[Recipe, list[str]]:
    """Leave out of a recipe what the data set's classes do not allow.

    Args:
        recipe: Of the run.
        model: Its name in ``train.models.MODELS``.
        samples: The data set; of the four brain classes, nothing is changed.
        named: Whether the recipe was asked for, not the model's default one.

    Returns:
        The recipe, and a line for each change.
    """
    classes = classes_of(samples)
    if classes.is_brain:
        return recipe, []
    changes = []
    stated = named and "head" in recipe.model
    if not stated and classes.negative is None and _head(recipe, model) == _TWO_QUESTIONS:
        recipe = replace(recipe, model={**recipe.model, "head": _MEAN})
        changes.append(
            "the head asks one question, which class it is, not two, whether anything is there and what: no class "
            "says that nothing is (--negative names such a class)"
        )
    if named:
        return recipe, changes
    has_masks = any(sample.split == "train" and mask_file(sample) for sample in samples)
    if recipe.mask.weight and not has_masks:
        recipe = replace(recipe, mask=MaskGuidance())
        changes.append("masks do not guide the evidence: no image of the train part has one")
    if recipe.counterfactual.most and (classes.negative is None or not has_masks):
        recipe = replace(recipe, counterfactual=Counterfactuals())
        changes.append(
            "no counterfactual images: they need masks and a class that says that nothing is there"
        )
    return recipe, changes


def _head(recipe: Recipe, model: str) -> str | None:
    """Return the head that the model would have; None if it has no choice."""
    head = inspect.signature(MODELS[model]).parameters.get("head")
    return None if head is None else str(recipe.model.get("head", head.default))
