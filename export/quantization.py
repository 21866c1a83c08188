"""INT8 by onnxruntime: static (calibrated activations) and dynamic, in the form that suits a CvT.

- Weights are signed, symmetric, one scale per output channel; activations unsigned and asymmetric.
- LayerNormalization, Softmax, GELU and residual additions stay in float: quantizing them is what ruins transformers
  (huggingface/optimum#151, FQ-ViT's table).
- The stem convolution and the classifier stay in float: little work, much influence.
- Dynamic covers MatMul only. Its default would turn every Conv into ConvInteger, which has no fast CPU kernel for
  depthwise convolutions and none at all for signed weights (microsoft/onnxruntime#15888).
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from edge_infer.preprocessing import PreprocessorConfig
from export.calibration import PixelReader
from export.shared_weights import PRODUCTS, second_uses, share_weights, with_own_weights

__all__ = ["CANDIDATES", "Candidate", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to quantize.

    Attributes:
        name: As in the manifest.
        description: What it does, for the manifest.
        quantize: Takes the prepared graph, calibration pictures and their preprocessing.
    """

    name: str
    description: dict[str, Any]
    quantize: Callable[[onnx.ModelProto, NDArray[np.uint8], PreprocessorConfig], onnx.ModelProto]


def prepare(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and batch norms and infer shapes, as the quantizer needs."""
    with _workspace() as folder:
        quant_pre_process(_saved(graph, folder), folder / "prepared.onnx", skip_symbolic_shape=True)
        return onnx.load(folder / "prepared.onnx")


def _static(
    graph: onnx.ModelProto, calibration: NDArray[np.uint8], config: PreprocessorConfig
) -> onnx.ModelProto:
    with _workspace() as folder:
        quantize_static(
            _saved(with_own_weights(graph), folder),
            folder / "int8.onnx",
            PixelReader(calibration, config),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=_kept_in_float(graph),
            extra_options={
                "WeightSymmetric": True,
                "ActivationSymmetric": False,
                "MatMulConstBOnly": True,
            },
        )
        return share_weights(onnx.load(folder / "int8.onnx"), second_uses(graph))


def _dynamic(
    graph: onnx.ModelProto, _: NDArray[np.uint8], __: PreprocessorConfig
) -> onnx.ModelProto:
    with _workspace() as folder:
        quantize_dynamic(
            _saved(with_own_weights(graph), folder),
            folder / "int8.onnx",
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=_kept_in_float(graph),
            extra_options={"MatMulConstBOnly": True},
        )
        return share_weights(onnx.load(folder / "int8.onnx"), second_uses(graph))


def _kept_in_float(graph: onnx.ModelProto) -> list[str]:
    """Name the stem (the first Conv), the classifier, attention products and second uses of a weight."""
    weights = {initializer.name for initializer in graph.graph.initializer}
    kept = [node.name for node in graph.graph.node if node.op_type == "Conv"][:1]
    # A matrix product of two activations (attention) stays in float too: its range moves with every picture.
    kept += [
        node.name
        for node in graph.graph.node
        if node.op_type == "MatMul" and node.input[1] not in weights
    ]
    kept += [use.node for use in second_uses(graph)]
    classifier = _classifier(graph, weights).name
    return [*kept, classifier, f"{classifier}_MatMul"]  # what quantize_dynamic makes of a Gemm


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
    """Save a graph, because onnxruntime's quantizer takes the weights out of one that is given in memory.

    The next candidate would find it empty (onnxruntime 1.31: "should be stored in ..., but it is not regular file").
    """
    path = folder / "graph.onnx"
    onnx.save(graph, path)
    return path


@contextlib.contextmanager
def _workspace() -> Iterator[Path]:
    """Give a folder for onnxruntime's files, and keep its root-logger chatter and prints off stdout."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            yield Path(folder)
    finally:
        root.setLevel(level)


#: In the order of preference: the first that passes the gate is taken. Static is the faster one.
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
            "activations": "uint8 asymmetric, range of each picture",
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
