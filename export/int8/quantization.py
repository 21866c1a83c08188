"""INT8 by onnxruntime's own quantizers, for models whose graph is traced: static (calibrated ranges) and dynamic.

Transformers have graphs of their own instead (``export.graphs``), which are faster.

- Weights are signed, symmetric, one scale per output channel; activations unsigned and asymmetric.
- LayerNormalization, Softmax, GELU and residual additions stay in float: quantizing them is what ruins transformers
  (huggingface/optimum#151, FQ-ViT's table).
- The stem convolution and the classifier stay in float: they take little time and matter much.
- The dynamic graph quantizes matrix products only. By default every Conv would become a ConvInteger, which has no fast
  CPU kernel for depthwise convolutions and no kernel at all for signed weights (microsoft/onnxruntime#15888).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.int8.calibration import PixelReader
from export.int8.shared_weights import PRODUCTS, second_uses, share_weights, with_own_weights
from export.model_inputs import ModelInputs
from export.quiet import quiet_folder

__all__ = ["CANDIDATES", "Candidate", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to quantize.

    Attributes:
        name: As in the manifest.
        description: What it does, for the manifest.
        quantize: Takes the prepared graph, calibration images and the largest weight: 127, or 63 for weights of 7 bits
            (see ``export.int8.processors``).
    """

    name: str
    description: dict[str, Any]
    quantize: Callable[[onnx.ModelProto, ModelInputs, int], onnx.ModelProto]


def prepare(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and batch norms and infer shapes, as the quantizer needs."""
    with quiet_folder() as folder:
        quant_pre_process(_saved(graph, folder), folder / "prepared.onnx", skip_symbolic_shape=True)
        return onnx.load(folder / "prepared.onnx")


def _static(
    graph: onnx.ModelProto,
    calibration: ModelInputs,
    weight_limit: int = 127,
) -> onnx.ModelProto:
    with quiet_folder() as folder:
        quantize_static(
            _saved(with_own_weights(graph), folder),
            folder / "int8.onnx",
            PixelReader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=weight_limit < 127,
            nodes_to_exclude=_kept_in_float(graph),
            extra_options={
                "WeightSymmetric": True,
                "ActivationSymmetric": False,
                "MatMulConstBOnly": True,
            },
        )
        return share_weights(onnx.load(folder / "int8.onnx"), second_uses(graph))


def _dynamic(
    graph: onnx.ModelProto,
    _: ModelInputs,
    weight_limit: int = 127,
) -> onnx.ModelProto:
    with quiet_folder() as folder:
        quantize_dynamic(
            _saved(with_own_weights(graph), folder),
            folder / "int8.onnx",
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=weight_limit < 127,
            nodes_to_exclude=_kept_in_float(graph),
            extra_options={"MatMulConstBOnly": True},
        )
        return share_weights(onnx.load(folder / "int8.onnx"), second_uses(graph))


def _kept_in_float(graph: onnx.ModelProto) -> list[str]:
    """Name the stem (the first Conv), the classifier, attention products and second uses of a weight."""
    weights = {initializer.name for initializer in graph.graph.initializer}
    kept = [node.name for node in graph.graph.node if node.op_type == "Conv"][:1]
    # A matrix product of two activations (attention) stays in float too: its range differs from image to image.
    kept += [
        node.name
        for node in graph.graph.node
        if node.op_type == "MatMul" and node.input[1] not in weights
    ]
    kept += [use.node for use in second_uses(graph)]
    classifier = _classifier(graph, weights).name
    return [
        *kept,
        classifier,
        f"{classifier}_MatMul",
    ]  # the name that quantize_dynamic gives a Gemm


def _classifier(graph: onnx.ModelProto, weights: set[str]) -> onnx.NodeProto:
    """Find the last product with constant weights on the way to the logits."""
    maker: dict[str, onnx.NodeProto] = {
        output: node for node in graph.graph.node for output in node.output
    }
    waiting = ["logits"]
    while waiting:
        node = maker.get(waiting.pop(0))
        if node is None:
            continue
        if node.op_type in PRODUCTS and node.input[1] in weights:
            return node
        waiting += node.input
    raise ValueError(
        "the graph has no classifier: no product with constant weights leads to the logits"
    )


def _saved(graph: onnx.ModelProto, folder: Path) -> Path:
    """Save a graph, because onnxruntime's quantizer removes the weights of a graph that is given in memory.

    The next candidate would then fail (onnxruntime 1.31: "should be stored in ..., but it is not regular file").
    """
    path = folder / "graph.onnx"
    onnx.save(graph, path)
    return path


#: The ways that are tried, in this order; ``export.int8.choice`` takes the best that passes the gate.
CANDIDATES = (
    Candidate(
        name="static",
        description={
            "method": "static",
            "format": "QDQ",
            "weights": "int8 symmetric per channel",
            "activations": "uint8 asymmetric, min-max calibration",
            "operators": ["Conv", "MatMul", "Gemm"],
            "kept_in_float": [
                "stem Conv",
                "classifier",
                "attention products",
                "LayerNormalization",
                "Softmax",
                "GELU",
            ],
        },
        quantize=_static,
    ),
    Candidate(
        name="dynamic",
        description={
            "method": "dynamic",
            "weights": "int8 symmetric per channel",
            "activations": "uint8 asymmetric, range of each image",
            "operators": ["MatMul", "Gemm"],
            "kept_in_float": [
                "Conv",
                "classifier",
                "attention products",
                "LayerNormalization",
                "Softmax",
                "GELU",
            ],
        },
        quantize=_dynamic,
    ),
)
