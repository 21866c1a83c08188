"""Weights that a graph uses twice, quantized once.

The stacked autoencoder's evidence multiplies by the encoders' weights a second time, transposed. Such a second product
stays in float and reads the int8 values of the first use. onnxruntime's quantizers cannot do that: they keep the float
weights beside the int8 weights. Besides, quantize_dynamic transposes a Gemm's weight: in place up to onnxruntime 1.31,
so that a second use reads it with its axes swapped; under another name since 1.32. So a second use gets a copy of the
weights before quantization, and the int8 values instead of the copy after it.
"""

from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

__all__ = ["PRODUCTS", "SecondUse", "second_uses", "share_weights", "with_own_weights"]

#: Operators whose second input is a matrix of weights.
PRODUCTS = ("MatMul", "Gemm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondUse:
    """A product with the weights of an earlier product.

    Attributes:
        node: Name of the product.
        weight: Name of the initializer.
        first_is_turned: Whether the earlier product is a Gemm that takes the weight transposed.
    """

    node: str
    weight: str
    first_is_turned: bool

    @property
    def copy(self) -> str:
        """Name of the weight's copy in ``with_own_weights``."""
        return f"{self.weight}_{self.node}"


def second_uses(graph: onnx.ModelProto) -> list[SecondUse]:
    """Return all second uses, in the order of the graph."""
    weights = {initializer.name for initializer in graph.graph.initializer}
    first: dict[str, bool] = {}
    found: list[SecondUse] = []
    for node in graph.graph.node:
        if node.op_type not in PRODUCTS or node.input[1] not in weights:
            continue
        weight = node.input[1]
        if weight in first:
            found.append(SecondUse(node=node.name, weight=weight, first_is_turned=first[weight]))
        else:
            first[weight] = any(entry.name == "transB" and entry.i for entry in node.attribute)
    return found


def with_own_weights(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of the graph in which each second use has weights of its own."""
    separate = onnx.ModelProto()
    separate.CopyFrom(graph)
    stored = {initializer.name: initializer for initializer in separate.graph.initializer}
    nodes = {node.name: node for node in separate.graph.node}
    for use in second_uses(graph):
        own = separate.graph.initializer.add()
        own.CopyFrom(stored[use.weight])
        own.name = use.copy
        nodes[use.node].input[1] = use.copy
    return separate


def share_weights(quantized: onnx.ModelProto, uses: list[SecondUse]) -> onnx.ModelProto:
    """Make the second uses read the int8 values of the first, in place.

    Args:
        quantized: Quantized from the graph of ``with_own_weights``.
        uses: ``second_uses`` of the graph before that.
    """
    graph = quantized.graph
    stored = {initializer.name: initializer for initializer in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    dequantized = {node.input[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    for use in uses:
        first = use.weight if f"{use.weight}_quantized" in stored else f"{use.weight}_Transposed"
        int8 = f"{first}_quantized"
        # None in a dynamic graph, where a MatMulInteger reads the weights, channels last.
        dequantize = dequantized.get(int8)
        source = _in_float(
            graph, int8, stored[f"{first}_scale"], _axis(dequantize) if dequantize else 1, use.copy
        )
        if dequantize is None and use.first_is_turned:
            turn = helper.make_node(
                "Transpose", [source], [f"{use.copy}_turned"], name=f"{use.copy}_turn", perm=[1, 0]
            )
            graph.node.insert(2, turn)
            source = turn.output[0]
        nodes[use.node].input[1] = source
        graph.initializer.remove(stored[use.copy])
    return quantized


def _in_float(
    graph: onnx.GraphProto, int8: str, scale: onnx.TensorProto, axis: int, name: str
) -> str:
    """Multiply symmetric int8 weights by their scales, and return the product's name.

    A second DequantizeLinear of the same weights would fail on processors without VNNI: there onnxruntime writes the
    weights of each such node again, under the same name, and refuses the second.
    """
    shape = [-1 if dimension == axis else 1 for dimension in range(2)]
    scales = numpy_helper.to_array(scale).reshape(shape)
    graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scales"))
    cast = helper.make_node("Cast", [int8], [f"{name}_cast"], name=f"{name}_cast", to=1)
    product = helper.make_node(
        "Mul", [cast.output[0], f"{name}_scales"], [f"{name}_float"], name=f"{name}_float"
    )
    graph.node.insert(0, cast)
    graph.node.insert(1, product)
    return str(product.output[0])


def _axis(dequantize: onnx.NodeProto) -> int:
    return next((entry.i for entry in dequantize.attribute if entry.name == "axis"), 1)
