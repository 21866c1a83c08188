"""The models by name: one explicit dict.

Training and export need of each: ``feature_dim``, ``classifier``, ``forward_features`` and ``forward_head``.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from edge_infer.classes import BRAIN
from edge_infer.errors import UnknownModel
from train.model_names import MODEL_NAMES
from train.models.convolutions import mend_convolutions
from train.models.cvt import cvt13, cvt_test
from train.models.cvt_slim import cvt_slim
from train.models.efficientnet_lite import efficientnet_lite
from train.models.resnet import resnet18
from train.models.sae import sae
from train.models.two_questions import TwoQuestions
from train.models.vit import vit
from train.models.vit_base import vit_base

__all__ = ["MODELS", "MODEL_TYPES", "check_model_name", "create_model"]


#: Each takes the number of classes, the side of ``pixel_values``, and sizes of its own by name.
MODELS: dict[str, Callable[..., nn.Module]] = {
    "cvt-slim": cvt_slim,
    "cvt13": cvt13,
    "cvt_test": cvt_test,
    "efficientnet-lite": efficientnet_lite,
    "resnet18": resnet18,
    "sae": sae,
    "vit": vit,
    "vit-base": vit_base,
}

#: ``model_type`` of config.json, where transformers knows the family.
MODEL_TYPES = {
    "cvt-slim": "cvt",
    "cvt13": "cvt",
    "cvt_test": "cvt",
    "efficientnet-lite": "efficientnet",
    "resnet18": "resnet",
    "sae": "sae",
    "vit": "vit",
    "vit-base": "vit",
}


def create_model(
    name: str,
    num_classes: int,
    *,
    image_size: int = 224,
    sizes: Mapping[str, Any] | None = None,
    negative_id: int | None = BRAIN.negative_id,
) -> nn.Module:
    """Build a model with fresh weights.

    Args:
        name: In ``MODELS``.
        num_classes: Classes of the classifier.
        image_size: Side of ``pixel_values`` in pixels; models with learned positions take no other.
        sizes: Arguments of the model itself, such as ``dim`` and ``depth``: a recipe's ``[model]``.
        negative_id: Class id of the negative class, which a head of two questions needs; None if no class is such.

    Raises:
        UnknownModel: There is no model of this name, or it cannot be built with these sizes, or it needs a negative
            class.
    """
    check_model_name(name)
    known = list(inspect.signature(MODELS[name]).parameters)[2:]
    unknown = sorted(set(sizes or {}) - set(known))
    if unknown:
        raise UnknownModel(
            f"{name} has no size {', '.join(unknown)}; it has {', '.join(known) or 'none'}",
            hint="correct [model] in the recipe",
        )
    model = (
        _built(name, num_classes, image_size, sizes)
        if sizes
        else MODELS[name](num_classes, image_size)
    )
    if isinstance(model.classifier, TwoQuestions):
        if negative_id is None:
            raise UnknownModel(
                f"{name} asks two questions, whether anything is there and what, but no class says that nothing is",
                hint='name that class with --negative, or write head = "mean" under [model] in the recipe',
            )
        model.classifier.negative_id = negative_id
    mend_convolutions(model)
    return model


def check_model_name(name: str) -> None:
    """Refuse an unknown name.

    Raises:
        UnknownModel: There is no model of this name.
    """
    if name not in MODELS:
        raise UnknownModel(
            f"model is {name!r}, expected one of {', '.join(MODEL_NAMES)}",
            hint="check the spelling of --model",
        )


def _built(name: str, num_classes: int, image_size: int, sizes: Mapping[str, Any]) -> nn.Module:
    try:
        return MODELS[name](num_classes, image_size, **sizes)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        given = ", ".join(f"{key} = {value!r}" for key, value in sizes.items())
        raise UnknownModel(
            f"{name} cannot be built with {given} ({type(error).__name__}: {error})",
            hint="correct [model] in the recipe",
        ) from error
