"""Models of known operators with their weights inside, and yet no sound ones.

onnxruntime gets some of them. Whatever it says of them, in whatever class of error, has to become one of ours; and a
model that it takes has to give the known answers, else the self-test refuses it.
"""

import random
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.helper import make_node
from reliability.bundles.hostile_content import Hostile, add_node

from edge_infer.contract import METADATA_KEY

__all__ = ["NAMED_ENDING"]

_HUGE = [2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, 0, -1, -(2**63)]


def _opset_99(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    model.opset_import[0].version = rng.choice([99, 0, -1, 2**31 - 1, 2**63 - 1, 6, 1])


def _ir_99(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    model.ir_version = rng.choice([99, 0, -1, 2**31, 2**63 - 1, 1])


def _much_metadata(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    size = rng.choice([10**5, 10**6, 4 * 10**6])
    kind = rng.randrange(3)
    if kind == 0:
        model.metadata_props.add(key=_letters(rng), value="x" * size)
    elif kind == 1:
        for number in range(size // 100):
            model.metadata_props.add(key=f"k{number}", value="x" * 60)
    else:
        model.doc_string = "x" * size


def _hostile_contract(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """The contract in the metadata, nested, huge or of other types."""
    texts = [
        "[" * 10**5, '{"labels": ' + "[" * 10**5, '{"labels": 1e999}', '{"labels": ' + "9" * 5000 + "}", "null",
        '{"labels": {"0": "glioma"}}', '{"labels": "glioma"}', '{"labels": [[]]}', "\ufeff{}", '{"labels": [NaN]}',
        '{"labels": ["glioma"], "labels": []}', "",
    ]  # fmt: skip
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = rng.choice(texts)


def _foreign_bytes(model: ModelProto, rng: random.Random, _canary: Path) -> bytes:
    """Names that are not UTF-8, or hold NUL: where a name stands in the file, other bytes of the same length."""
    place = rng.choice(["node", "weight", "metadata", "output", "value"])
    name = "Q" * rng.randint(3, 9)
    if place == "node":
        rng.choice(list(model.graph.node)).name = name
    elif place == "weight":
        old = rng.choice(list(model.graph.initializer)).name
        for tensor in model.graph.initializer:
            tensor.name = name if tensor.name == old else tensor.name
        for node in model.graph.node:
            for index, found in enumerate(node.input):
                node.input[index] = name if found == old else found
    elif place == "metadata":
        model.metadata_props.add(key=name, value=name)
    elif place == "output":
        model.graph.output[rng.randrange(3)].name = name
    else:
        model.graph.value_info.add(name=name)
    data = model.SerializeToString()
    other = rng.choice([b"\xff", b"\xc0", b"\0", b"\x80"]) * len(name)
    return data.replace(name.encode(), other)


def _no_order(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Edges that go round, lead nowhere, or are made twice."""
    nodes = model.graph.node
    form = rng.randrange(4)
    node = rng.choice(list(nodes))
    if form == 0 and node.input:
        node.input[0] = nodes[-1].output[0]
    elif form == 1:
        node.input.append("nowhere")
    elif form == 2:
        nodes.append(node)
    else:
        order = rng.sample(list(nodes), len(nodes))
        del nodes[:]
        nodes.extend(order)


def _many_nodes(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    last = model.graph.input[0].name
    for number in range(rng.choice([1_000, 5_000])):
        model.graph.node.append(make_node("Relu", [last], [f"n{number}"]))
        last = f"n{number}"


def _attribute(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Numbers in attributes that no such operator can work with."""
    held = [
        attribute
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.ints or attribute.HasField("i")
    ]
    attribute = rng.choice(held)
    if attribute.ints:
        place = rng.randrange(len(attribute.ints))
        attribute.ints[place] = rng.choice(_HUGE)
        if rng.random() < 0.3:
            attribute.ints.extend([1] * rng.choice([1, 1000]))
    else:
        attribute.i = rng.choice(_HUGE)


def _integers(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Whole numbers among the weights (axes, shapes, sizes) that lead out of any tensor."""
    held = [t for t in model.graph.initializer if t.data_type == TensorProto.INT64]
    if not held:
        return _attribute(model, rng, _canary)
    tensor = rng.choice(held)
    array = numpy_helper.to_array(tensor).copy()
    if array.size:
        array.flat[rng.randrange(array.size)] = rng.choice(_HUGE)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return None


def _not_finite(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    held = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and t.raw_data]
    tensor = rng.choice(held)
    array = numpy_helper.to_array(tensor).copy()
    array.flat[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -np.inf, 3e38])
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _other_outputs(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Stated shapes and types that the graph does not give."""
    value = rng.choice([*model.graph.output, *model.graph.input])
    tensor = value.type.tensor_type
    if rng.random() < 0.5:
        tensor.elem_type = rng.choice([0, 2, 7, 8, 11, 16, 99])
    elif tensor.shape.dim:
        side = rng.choice(list(tensor.shape.dim))
        side.dim_value = rng.choice(_HUGE)
    else:
        tensor.shape.dim.add(dim_value=2**40)


def _other_operator(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    node = rng.choice(list(model.graph.node))
    node.op_type = rng.choice(
        ["Nope", "", "Transpose", "Shape", "NonZero", "Unique", "SequenceEmpty", "StringNormalizer", "Gemm", "LSTM",
         "ImageDecoder", "StringConcat", "QLinearConv", "Conv", "Compress", "If "]
    )  # fmt: skip


def _products(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Two vectors of ours whose product has 10^10 numbers: no check of the form tells it from an honest one."""
    side = 100_000
    vector = np.ones((side, 1), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(vector, "tall"))
    model.graph.initializer.append(numpy_helper.from_array(vector.T, "wide"))
    node = make_node("MatMul", ["tall", "wide"], ["vast"])
    add_node(model, node, rng)
    model.graph.node.append(make_node("ReduceMean", ["vast"], ["mean"]))
    model.graph.node.append(make_node("Mul", [model.graph.output[0].name, "mean"], ["more"]))
    model.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, None))
    del model.graph.output[3:]


def _letters(rng: random.Random) -> str:
    return "".join(rng.choices("abcdef", k=8))


#: By name. Ended by a named error, or taken with the known answers.
NAMED_ENDING: dict[str, Hostile] = {
    "opset": _opset_99,
    "IR version": _ir_99,
    "much metadata": _much_metadata,
    "contract": _hostile_contract,
    "foreign bytes": _foreign_bytes,
    "no order": _no_order,
    "many nodes": _many_nodes,
    "attributes": _attribute,
    "whole numbers": _integers,
    "not finite": _not_finite,
    "stated types": _other_outputs,
    "other operator": _other_operator,
    "products": _products,
}
