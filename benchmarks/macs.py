"""The number of multiply-accumulates of a graph for one image, counted from its shapes."""

import math
from collections.abc import Mapping

import onnx
from onnx import numpy_helper, shape_inference

from edge_infer.contract import INPUT_NAME
from edge_infer.errors import BundleIncompatible

__all__ = ["count_macs"]


def count_macs(model: onnx.ModelProto) -> dict[str, int]:
    """Count the multiply-accumulates of Conv, MatMul, Gemm and Einsum with a batch of 1.

    Raises:
        BundleIncompatible: A shape is not known.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for given in single.graph.input:
        if given.name == INPUT_NAME:
            given.type.tensor_type.shape.dim[0].dim_value = 1
    del single.graph.value_info[:]
    for output in single.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(single, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    shapes |= {
        node.output[0]: list(numpy_helper.to_array(node.attribute[0].t).shape)
        for node in inferred.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    macs: dict[str, int] = {}
    for node in inferred.node:
        count = _macs(node, shapes)
        if count:
            macs[node.op_type] = macs.get(node.op_type, 0) + count
    return macs


def _macs(node: onnx.NodeProto, shapes: Mapping[str, list[int]]) -> int:
    if node.op_type not in ("Conv", "MatMul", "Gemm", "Einsum"):
        return 0
    inputs = [_known(shapes, name, node) for name in node.input[:2]]
    if node.op_type == "Einsum":
        equation = next(item.s.decode() for item in node.attribute if item.name == "equation")
        sides = equation.replace(" ", "").partition("->")[0].split(",")
        letters = {
            letter: size
            for side, shape in zip(sides, inputs, strict=True)
            for letter, size in zip(side, shape, strict=True)
        }
        return math.prod(letters.values())
    result = math.prod(_known(shapes, node.output[0], node))
    if node.op_type == "Conv":
        return result * math.prod(inputs[1][1:])  # weight is (out, in / groups, kernel...)
    if node.op_type == "Gemm":
        transposed = any(item.name == "transA" and item.i for item in node.attribute)
        return result * inputs[0][0 if transposed else 1]
    return result * inputs[0][-1]


def _known(shapes: Mapping[str, list[int]], name: str, node: onnx.NodeProto) -> list[int]:
    shape = shapes.get(name)
    if shape is None or 0 in shape:
        raise BundleIncompatible(f"shape of {name!r} at {node.op_type} {node.name!r} is not known")
    return shape
