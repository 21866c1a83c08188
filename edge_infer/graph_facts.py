"""Look into an ONNX file without the onnx package, and refuse what a bundle may never hold.

onnxruntime loads external data from files beside the model (relative to the working directory when a model comes as
bytes), so the digest of model.onnx would not cover the weights; and a loop or a custom operator turns a model into a
program. Both are refused here, before onnxruntime sees a byte. Field numbers: onnx.proto of ONNX 1.23.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_infer.errors import BundleIntegrity, ContentRefused
from edge_infer.protobuf import DamagedMessage, Field, fields_of, integers, messages, texts

__all__ = ["GraphFacts", "graph_facts"]

_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_EXTERNAL = 1
_MAX_DEPTH = 8

# ModelProto
_IR_VERSION, _GRAPH, _OPSET_IMPORT, _METADATA, _FUNCTIONS = 1, 7, 8, 14, 25
# GraphProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE_INITIALIZER = 1, 5, 11, 12, 15
# NodeProto
_OP_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7
# AttributeProto
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE, _SPARSES = 5, 6, 10, 11, 22, 23
_HOLDS_MORE = frozenset({_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE, _SPARSES})
# TensorProto
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """What the file says about itself.

    Attributes:
        ir_version: ONNX IR version.
        opset: Version of the default operator set.
        inputs: Names of the graph's inputs, in order.
        outputs: Names of the graph's outputs, in order.
        metadata: ``metadata_props``.
    """

    ir_version: int
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: dict[str, str]


def graph_facts(model: bytes) -> GraphFacts:
    """Walk through model.onnx.

    Raises:
        BundleIntegrity: Not an ONNX file.
        ContentRefused: External data, control flow, local functions or operators of other makers.
    """
    try:
        top = fields_of(memoryview(model))
        graphs = list(messages(top, _GRAPH))
        if len(graphs) != 1:
            raise DamagedMessage(f"{len(graphs)} graphs, expected one")
        if any(True for _ in messages(top, _FUNCTIONS)):
            raise ContentRefused("model.onnx: holds local functions, expected plain operators")
        _check_graph(graphs[0], depth=0)
        return GraphFacts(
            ir_version=next(integers(top, _IR_VERSION), 0),
            opset=_opset(top),
            inputs=_names(graphs[0], _INPUT),
            outputs=_names(graphs[0], _OUTPUT),
            metadata={
                next(texts(entry, 1), ""): next(texts(entry, 2), "")
                for entry in messages(top, _METADATA)
            },
        )
    except DamagedMessage as error:
        raise BundleIntegrity(f"model.onnx: is not an ONNX file ({error})") from error


def _check_graph(graph: list[Field], *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ContentRefused(f"model.onnx: graphs nested deeper than {_MAX_DEPTH}")
    for tensor in _tensors(graph, (_INITIALIZER,), (_SPARSE_INITIALIZER,)):
        _check_tensor(tensor)
    for node in messages(graph, _NODE):
        _check_node(node, depth=depth)


def _check_node(node: list[Field], *, depth: int) -> None:
    operator, domain = next(texts(node, _OP_TYPE), ""), next(texts(node, _DOMAIN), "")
    if domain not in _DOMAINS:
        raise ContentRefused(
            f"model.onnx: operator {operator!r} is of domain {domain!r}, "
            "expected ONNX's own or com.microsoft"
        )
    if operator in _CONTROL_FLOW:
        raise ContentRefused(f"model.onnx: holds control flow ({operator}), expected none")
    for attribute in messages(node, _ATTRIBUTE):
        if _HOLDS_MORE.isdisjoint(field.number for field in attribute):
            continue
        for tensor in _tensors(attribute, (_TENSOR, _TENSORS), (_SPARSE, _SPARSES)):
            _check_tensor(tensor)
        for number in (_SUBGRAPH, _SUBGRAPHS):
            for graph in messages(attribute, number):
                _check_graph(graph, depth=depth + 1)


def _tensors(
    message: list[Field], dense: tuple[int, ...], sparse: tuple[int, ...]
) -> Iterator[list[Field]]:
    for number in dense:
        yield from messages(message, number)
    for number in sparse:
        for tensor in messages(message, number):
            yield from messages(tensor, 1)  # values
            yield from messages(tensor, 2)  # indices


def _check_tensor(tensor: list[Field]) -> None:
    is_external = _EXTERNAL in integers(tensor, _DATA_LOCATION)
    if is_external or any(field.number == _EXTERNAL_DATA for field in tensor):
        raise ContentRefused(
            "model.onnx: weights lie in another file, expected all of them inside",
            hint="export it as a single file",
        )


def _opset(top: list[Field]) -> int:
    for entry in messages(top, _OPSET_IMPORT):
        if next(texts(entry, 1), "") in ("", "ai.onnx"):
            return next(integers(entry, 2), 0)
    return 0


def _names(graph: list[Field], number: int) -> tuple[str, ...]:
    return tuple(next(texts(value, 1), "") for value in messages(graph, number))
