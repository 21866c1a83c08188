"""The models by name: one explicit dict."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from edge_infer.errors import BundleIncompatible
from train.models.cvt import cvt13, cvt_test
from train.models.output import ClassifierOutput
from train.models.resnet import resnet18

__all__ = ["MODELS", "MODEL_TYPES", "Classifier", "check_model_name", "create_model"]


class Classifier(Protocol):
    """What training and export need of a model (each is also an ``nn.Module``)."""

    feature_dim: int
    classifier: nn.Linear

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return a feature map, (B, feature_dim, h, w)."""

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map."""


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
