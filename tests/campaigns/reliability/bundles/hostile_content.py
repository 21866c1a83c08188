"""Models that are more than a graph with its weights inside: programs, pointers to files, bombs, other formats.

Each function changes a model in place, or returns other bytes for it; the number of the trial decides where in the
graph, in which form and with which names. All of these must be refused before onnxruntime gets the model.
"""

import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper
from onnx.helper import make_node

__all__ = ["REFUSED_CONTENT", "Hostile"]

#: ``hostile(model, rng, canary)``: changes the model, or returns bytes. The canary is a file that nobody may open.
Hostile = Callable[[ModelProto, random.Random, Path], bytes | None]


def add_node(model: ModelProto, node: NodeProto, rng: random.Random) -> None:
    """Put a node at any place of the graph; sometimes an output of the graph depends on it."""
    nodes = model.graph.node
    nodes.insert(rng.randint(0, len(nodes)), node)
    if rng.random() < 0.3:
        nodes[-1].input.append(node.output[0])


def _named(rng: random.Random) -> str:
    return rng.choice(["x", "weight", "", "é", "a/b", "../x", "x" * 300]) + str(rng.randrange(1000))


def _location(rng: random.Random, canary: Path) -> str:
    """The eight ways to name a file outside of the bundle; the canary lies in the working directory."""
    relative = os.path.relpath(canary)
    return rng.choice(
        [
            canary.name,
            f"./{canary.name}",
            str(canary),
            f"../{canary.parent.name}/{canary.name}",
            f"x/../{relative}",
            f"file://{canary}",
            f"/proc/self/cwd/{relative}",
            "*/_ORT_MEM_ADDR_/*",
        ]
    )


def _pointed(tensor: TensorProto, rng: random.Random, canary: Path) -> TensorProto:
    """Let a tensor's numbers lie in another file, openly or only half so."""
    form = rng.choice(["whole", "no location", "no file"])
    if form != "no location":
        tensor.data_location = TensorProto.EXTERNAL
    if form != "no file":
        tensor.external_data.add(key="location", value=_location(rng, canary))
        for key in rng.sample(["offset", "length", "checksum"], rng.randint(0, 3)):
            tensor.external_data.add(key=key, value=rng.choice(["0", "16", "-1", str(2**63)]))
    if rng.random() < 0.7:
        for field in ("raw_data", "float_data", "int64_data"):
            tensor.ClearField(field)
    return tensor


def _tensor(rng: random.Random) -> TensorProto:
    return helper.make_tensor(_named(rng), TensorProto.FLOAT, [2], [1.0, 2.0])


def external_weights(model: ModelProto, rng: random.Random, canary: Path) -> None:
    _pointed(rng.choice(list(model.graph.initializer)), rng, canary)


def external_constant(model: ModelProto, rng: random.Random, canary: Path) -> None:
    tensor = _pointed(_tensor(rng), rng, canary)
    node = make_node("Constant", [], [_named(rng)])
    node.attribute.append(helper.make_attribute("value", tensor))
    add_node(model, node, rng)


def external_list(model: ModelProto, rng: random.Random, canary: Path) -> None:
    """In a list of tensors, as an attribute of any node."""
    attribute = AttributeProto(name=_named(rng), type=AttributeProto.TENSORS)
    attribute.tensors.extend([_tensor(rng), _pointed(_tensor(rng), rng, canary)])
    rng.choice(list(model.graph.node)).attribute.append(attribute)


def external_sparse(model: ModelProto, rng: random.Random, canary: Path) -> None:
    sparse = model.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(_tensor(rng))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [2], [0, 2]))
    _pointed(rng.choice([sparse.values, sparse.indices]), rng, canary)


def external_in_a_body(model: ModelProto, rng: random.Random, canary: Path) -> None:
    body = GraphProto(name="body", initializer=[_pointed(_tensor(rng), rng, canary)])
    node = make_node(rng.choice(["If", "Custom", "Relu"]), [], [_named(rng)], then_branch=body)
    add_node(model, node, rng)


def external_in_a_function(model: ModelProto, rng: random.Random, canary: Path) -> None:
    function = model.functions.add(name="f", domain=rng.choice(["", "local"]))
    node = function.node.add(op_type="Constant", output=["y"])
    node.attribute.append(helper.make_attribute("value", _pointed(_tensor(rng), rng, canary)))
    function.output.append("y")


def cached_context(model: ModelProto, rng: random.Random, canary: Path) -> None:
    """EPContext names a file that the provider loads."""
    node = make_node(
        "EPContext", [], [_named(rng)], domain="com.microsoft", embed_mode=0, main_context=1,
        ep_cache_context=_location(rng, canary),
    )  # fmt: skip
    add_node(model, node, rng)


def _body(rng: random.Random, depth: int = 0) -> GraphProto:
    nodes = [make_node("Identity", ["c"], ["d"])]
    if depth < 3 and rng.random() < 0.5:
        nodes.append(make_node("If", ["c"], ["e"], then_branch=_body(rng, depth + 1)))
    return GraphProto(name="body", node=nodes)


def control_flow(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    operator = rng.choice(["If", "Loop", "Scan", "SequenceMap"])
    body = (
        {"then_branch": _body(rng), "else_branch": _body(rng)}
        if operator == "If"
        else {"body": _body(rng)}
    )
    if rng.random() < 0.2:
        body = {}
    domain = rng.choice(["", "ai.onnx"])
    add_node(model, make_node(operator, ["c"], [_named(rng)], domain=domain, **body), rng)


def endless_loop(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """One that runs when the graph does, for ever."""
    body = helper.make_graph(
        [make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )
    model.graph.initializer.append(helper.make_tensor("most", TensorProto.INT64, [], [2**62]))
    model.graph.initializer.append(helper.make_tensor("true", TensorProto.BOOL, [], [True]))
    node = make_node("Loop", ["most", "true"], [], body=body)
    model.graph.node.insert(rng.randint(0, len(model.graph.node)), node)


def search(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Loops of onnxruntime's own."""
    operator = rng.choice(["BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"])
    node = make_node(operator, ["x"], [_named(rng)], domain="com.microsoft")
    if rng.random() < 0.5:
        node.attribute.append(helper.make_attribute("decoder", _body(rng)))
    add_node(model, node, rng)


def graph_in_any_node(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    attribute = AttributeProto(name=_named(rng))
    if rng.random() < 0.5:
        attribute.type = AttributeProto.GRAPH
        attribute.g.CopyFrom(_body(rng))
    else:
        attribute.type = AttributeProto.GRAPHS
        attribute.graphs.extend([_body(rng), _body(rng)])
    rng.choice(list(model.graph.node)).attribute.append(attribute)


def other_domain(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Operators that are code of somebody else."""
    domains = ["ai.onnx.contrib", "ai.onnx.ml", "ai.onnx.training", "com.microsoft.nchwc", "com.acme", "ai.onnx ",
               "AI.ONNX", "com.microsoft\0", "ai.onnx.", "\u0430i.onnx", "org.pytorch.aten", "x" * 200]  # fmt: skip
    domain = rng.choice(domains)
    model.opset_import.add(domain=domain, version=rng.choice([1, 2, 99]))
    if rng.random() < 0.5:
        rng.choice(list(model.graph.node)).domain = domain
    else:
        operator = rng.choice(["PyOp", "PythonOp", "Relu", "ExternalFunction", "Tokenizer"])
        add_node(model, make_node(operator, ["x"], [_named(rng)], domain=domain), rng)


def local_function(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """A function under the name of an operator of ONNX."""
    names = sorted({node.op_type for node in model.graph.node})
    function = model.functions.add(name=rng.choice([*names, "f"]), domain=rng.choice(["", "local"]))
    function.input.append("x")
    function.output.append("y")
    function.node.add(op_type="Identity", input=["x"], output=["y"])


def training(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    info = model.training_info.add()
    if rng.random() < 0.5:
        info.algorithm.CopyFrom(_body(rng))


def out_of_nothing(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """A few bytes that ask for gigabytes, when the graph is opened (constants are folded) or when it runs."""
    sides = rng.choice([[2**33], [2**17, 2**17], [2**40], [2**62], [2**16, 2**16, 4]])
    shape = helper.make_tensor(f"s{rng.randrange(10**6)}", TensorProto.INT64, [len(sides)], sides)
    many = helper.make_tensor(f"m{rng.randrange(10**6)}", TensorProto.INT64, [], [2**33])
    model.graph.initializer.extend([shape, many])
    made = _named(rng)
    node = rng.choice(
        [
            make_node("ConstantOfShape", [shape.name], [made]),
            make_node("Range", [many.name, many.name, many.name], [made]),
            make_node("OneHot", [shape.name, many.name, shape.name], [made]),
            make_node("EyeLike", ["pixel_values"], [made]),
            make_node("RandomNormal", [], [made], shape=sides),
            make_node("RandomUniform", [], [made], shape=sides),
            make_node("RandomNormalLike", ["pixel_values"], [made]),
            make_node("RandomUniformLike", ["pixel_values"], [made]),
            make_node("Multinomial", ["pixel_values"], [made], sample_size=2**31 - 1),
            make_node("Bernoulli", ["pixel_values"], [made]),
            make_node("Tile", ["pixel_values", shape.name], [made]),
            make_node("HannWindow", [many.name], [made]),
            make_node("Range", [many.name, many.name, many.name], [made], domain="com.microsoft"),
        ]
    )
    add_node(model, node, rng)


def sparse_weights(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """One number that stands for a tensor of any size: onnxruntime makes it dense."""
    sides = rng.choice([[2**17, 2**17], [2**34], [4], [2**62, 4]])
    sparse = model.graph.sparse_initializer.add(dims=sides)
    sparse.values.CopyFrom(helper.make_tensor(_named(rng), TensorProto.FLOAT, [1], [1.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [2]))


def sparse_constant(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    attribute = AttributeProto(name="sparse_value", type=AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.dims.extend(rng.choice([[2**34], [4]]))
    attribute.sparse_tensor.values.CopyFrom(_tensor(rng))
    attribute.sparse_tensor.indices.CopyFrom(
        helper.make_tensor("i", TensorProto.INT64, [2], [0, 2])
    )
    node = make_node("Constant", [], [_named(rng)])
    node.attribute.append(attribute)
    add_node(model, node, rng)


def lying_sides(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Weights whose sides are not those of their numbers: huge, negative, overflowing, or a little off."""
    tensor = rng.choice([t for t in model.graph.initializer if t.raw_data])
    sides = rng.choice(
        [[2**31], [2**32, 2**32], [2**63 - 1], [-1], [-(2**63)], [2**62, 4], [3, -3], [1] * 40 + [2**40],
         [*tensor.dims, 2], [*tensor.dims[:-1], (tensor.dims[-1] if tensor.dims else 1) + 1]]
    )  # fmt: skip
    tensor.ClearField("dims")
    tensor.dims.extend(sides)


def other_numbers(model: ModelProto, rng: random.Random, _canary: Path) -> None:
    """Weights of a type that their bytes are not: text, unknown, or twice."""
    tensor = rng.choice([t for t in model.graph.initializer if t.raw_data])
    form = rng.choice(["text", "unknown", "twice", "segment", "wider"])
    if form == "text":
        tensor.data_type = TensorProto.STRING
        tensor.string_data.extend([b"\xff" * 9, b"text"])
    elif form == "unknown":
        tensor.data_type = rng.choice([0, 99, -1, 2**31 - 1])
    elif form == "twice":
        tensor.float_data.extend([1.0, 2.0])
    elif form == "segment":
        tensor.segment.begin, tensor.segment.end = 0, 2**60
    else:
        tensor.data_type = TensorProto.COMPLEX128


class _Runs:
    """What a pickle would call."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"cat {self._canary}",)


def other_format(_model: ModelProto, rng: random.Random, canary: Path) -> bytes:
    """No ONNX: pickles as PyTorch writes them, archives, programs, texts."""
    protocol = rng.randint(0, pickle.HIGHEST_PROTOCOL)
    pickled = pickle.dumps(_Runs(canary), protocol=protocol)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("archive/data.pkl", pickled)
    forms = [
        pickled,
        archive.getvalue(),
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + pickled,
        b"\x7fELF" + rng.randbytes(200),
        b"#!/bin/sh\ncat " + os.fsencode(canary),
        b"\x1f\x8b\x08" + rng.randbytes(99),
        b"\x89HDF\r\n\x1a\n" + bytes(99),
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64,
        b'{"format": "torch"}',
        b"ORTM" + rng.randbytes(99),
        rng.randbytes(rng.randint(1, 400)),
    ]
    return rng.choice(forms)


#: By name. Refused with 33, or 31 where it is no ONNX file at all, before onnxruntime gets it.
REFUSED_CONTENT: dict[str, Hostile] = {
    "external weights": external_weights,
    "external constant": external_constant,
    "external list": external_list,
    "external sparse weights": external_sparse,
    "external weights in a body": external_in_a_body,
    "external weights in a function": external_in_a_function,
    "cached context": cached_context,
    "control flow": control_flow,
    "endless loop": endless_loop,
    "search": search,
    "graph in a node": graph_in_any_node,
    "other domain": other_domain,
    "local function": local_function,
    "training information": training,
    "out of nothing": out_of_nothing,
    "sparse weights": sparse_weights,
    "sparse constant": sparse_constant,
    "lying sides": lying_sides,
    "other numbers": other_numbers,
    "other format": other_format,
}
