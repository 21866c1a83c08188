"""The models by name: one explicit dict.

Training and export ask of each: ``feature_dim``, ``classifier``, ``forward_features`` and ``forward_head``.
"""

from collections.abc import Callable

from torch import nn

from edge_infer.errors import BundleIncompatible
from train.models.cvt import cvt13, cvt_test
from train.models.resnet import resnet18

__all__ = ["MODELS", "MODEL_TYPES", "check_model_name", "create_model"]


MODELS: dict[str, Callable[[int], nn.Module]] = {
    "cvt13": cvt13,
    "cvt_test": cvt_test,
    "resnet18": resnet18,
}

#: ``model_type`` of config.json, where transformers knows the family.
MODEL_TYPES = {"cvt13": "cvt", "cvt_test": "cvt", "resnet18": "resnet"}


def create_model(name: str, num_classes: int) -> nn.Module:
    """Build a model with fresh weights.

    Raises:
        BundleIncompatible: There is no model of this name.
    """
    check_model_name(name)
    return MODELS[name](num_classes)


def check_model_name(name: str) -> None:
    """Refuse a name that is no model's.

    Raises:
        BundleIncompatible: There is no model of this name.
    """
    if name not in MODELS:
        raise BundleIncompatible(f"model is {name!r}, expected one of {', '.join(sorted(MODELS))}")
