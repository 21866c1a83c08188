"""Graphs made for onnxruntime, written layer by layer from a trained model instead of traced.

``build_graph`` makes a graph in any number format: the format is that of the layers it is given.
"""

from collections.abc import Callable
from typing import Any

import onnx
from torch import nn

from export.graphs.cvt import add_cvt, add_cvt_slim
from export.graphs.efficientnet_lite import add_efficientnet_lite
from export.graphs.float_layers import FloatLayers
from export.graphs.vit import add_vit, add_vit_base
from export.graphs.weights import Grid
from train.models.cvt import CvtClassifier
from train.models.cvt_slim import CvtSlimClassifier
from train.models.efficientnet_lite import EfficientNetLiteClassifier
from train.models.vit import VisionTransformer
from train.models.vit_base import VitBaseClassifier

__all__ = ["build_graph", "can_build"]

_ADD: dict[type[nn.Module], Callable[[Any, FloatLayers, Grid], Grid]] = {
    CvtClassifier: add_cvt,
    CvtSlimClassifier: add_cvt_slim,
    EfficientNetLiteClassifier: add_efficientnet_lite,
    VisionTransformer: add_vit,
    VitBaseClassifier: add_vit_base,
}


def can_build(model: nn.Module) -> bool:
    """Return whether there is a graph for this model; other models are traced by torch (``export.to_onnx``)."""
    return type(model) in _ADD


def build_graph(
    model: nn.Module, layers: FloatLayers, *, height: int, width: int
) -> onnx.ModelProto:
    """Write a model's graph, in evaluation mode.

    Args:
        model: One that ``can_build`` knows.
        layers: New ones, not used before; they decide the number format.
        height: Rows of pixel_values.
        width: Columns of pixel_values.
    """
    grid = _ADD[type(model)](model, layers, (height, width))
    known: Any = model
    classes = known.classifier.out_features
    return layers.builder.finish(
        height=height,
        width=width,
        output_shapes={
            "logits": (classes,),
            "embeddings": (known.feature_dim,),
            "evidence": (classes, *grid),
        },
    )
