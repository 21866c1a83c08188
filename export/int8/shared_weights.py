"""Weights that a graph uses twice, quantized once.

The stacked autoencoder's evidence multiplies by the encoders' weights a second time, backwards. Such a second product
stays in float, reading the int8 values of the first use. onnxruntime's quantizers cannot do that by themselves: they
keep the float weights beside the int8 ones, and quantize_dynamic turns a Gemm's weight over: where it lies up to
onnxruntime 1.31, so that a second use reads it with its axes swapped; under another name since 1.32. So a second use
gets a copy before and int8 values after.
"""

from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

__all__ = ["PRODUCTS", "SecondUse", "second_uses", "share_weights", "with_own_weights"]

#: Operators whose second input is a matrix of weights.
PRODUCTS = ("MatMul", "Gemm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondUse:
    """A product whose weights an earlier one has too.

    Attributes:
        node: Name of the product.
        weight: Name of the initializer.
        first_is_turned: The earlier product is a Gemm that takes the weight transposed.
    """

    node: str
    weight: str
    first_is_turned: bool

    @property
    def copy(self) -> str:
        """Name of the weight's copy in ``with_own_weights``."""
        return f"{self.weight}_{self.node}"


def second_uses(graph: onnx.ModelProto) -> list[SecondUse]:
    """Find them, in the graph's order."""
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
    """Let the second uses read the int8 values of the first, in place.

    Args:
        quantized: Made of ``with_own_weights``.
        uses: Of the graph before.
    """
    graph = quantized.graph
    stored = {initializer.name: initializer for initializer in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    dequantized = {node.input[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    for use in uses:
        first = use.weight if f"{use.weight}_quantized" in stored else f"{use.weight}_Transposed"
        int8 = f"{first}_quantized"
        dequantize = dequantized.get(
            int8
        )  # none: dynamic, where a MatMulInteger reads them, channels last
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

    A second DequantizeLinear of the same weights would do, but for processors without VNNI: there onnxruntime writes
    the weights of each such node anew, under one name, and refuses the second.
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
