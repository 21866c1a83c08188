"""Read facts from an ONNX file without the onnx package, and refuse content that a bundle may not have.

onnxruntime loads external data from files beside the model (relative to the working directory when a model comes as
bytes), so the digest of model.onnx would not cover the weights; a loop or a custom operator makes a model a program; a
few bytes can ask for gigabytes. All are refused here, before onnxruntime gets the file.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from edge_infer.errors import BundleIntegrity, ContentRefused
from edge_infer.operators import OPERATORS
from edge_infer.protobuf import DamagedMessage, Message, RefusedMessage, read_message
from edge_infer.weights_check import check_tensor

__all__ = ["GraphFacts", "graph_facts"]

_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
# ModelProto
_IR_VERSION, _GRAPH, _OPSET_IMPORT, _METADATA = 1, 7, 8, 14
# GraphProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
# ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto, TensorShapeProto.Dimension
_TYPE, _TENSOR_TYPE, _SHAPE, _DIM, _DIM_VALUE = 2, 1, 2, 1, 1
# NodeProto
_OP_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7
# AttributeProto
_TENSORS = (5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """Facts from the file.

    Attributes:
        ir_version: ONNX IR version.
        opset: Version of the default operator set.
        inputs: Names of the graph's inputs, in order.
        outputs: Names of the graph's outputs, in order.
        metadata: ``metadata_props``.
        last_sides: By output, the length of its last axis; outputs whose file does not state it are not in it.
    """

    ir_version: int
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: dict[str, str]
    last_sides: dict[str, int]


def graph_facts(model: bytes, *, also: Collection[str] = ()) -> GraphFacts:
    """Read and check model.onnx.

    Args:
        model: The file.
        also: Operators that are taken beside those of ``edge_infer.operators``: of graphs that are no bundle's.

    Raises:
        BundleIntegrity: It is not an ONNX file.
        ContentRefused: External data, control flow, local functions, operators of other domains or that make tensors
            out of nothing, sparse weights, weights that are not what their sides say, or an encoding that two readers
            could read as two different graphs.
    """
    try:
        top = read_message(model, "ModelProto")
        graph = next(_messages(top, _GRAPH), None)  # two are refused while reading
        if graph is None:
            raise DamagedMessage("no graph")
        _check_graph(graph, OPERATORS.union(also))
        return GraphFacts(
            ir_version=_integer(top, _IR_VERSION),
            opset=_opset(top),
            inputs=_names(graph, _INPUT),
            outputs=_names(graph, _OUTPUT),
            metadata=_metadata(top),
            last_sides=_last_sides(graph),
        )
    except DamagedMessage as error:
        raise BundleIntegrity(f"model.onnx: is not an ONNX file ({error})") from error
    except RefusedMessage as error:
        raise ContentRefused(
            f"model.onnx: {error}", hint="export it again, as a single file"
        ) from error


def _check_graph(graph: Message, operators: Collection[str]) -> None:
    for tensor in _messages(graph, _INITIALIZER):
        check_tensor(tensor)
    for node in _messages(graph, _NODE):
        _check_node(node, operators)


def _check_node(node: Message, operators: Collection[str]) -> None:
    operator, domain = _text(node, _OP_TYPE), _text(node, _DOMAIN)
    if domain not in _DOMAINS:
        raise RefusedMessage(
            f"operator {operator!r} is of domain {domain!r}, expected ONNX's own or com.microsoft"
        )
    if operator not in operators:
        raise RefusedMessage(
            f"holds operator {operator!r}, expected those that compute from what is there: "
            "no control flow, no references, nothing that makes a tensor of any size"
        )
    for attribute in _messages(node, _ATTRIBUTE):
        for number in _TENSORS:
            for tensor in _messages(attribute, number):
                check_tensor(tensor)


def _opset(top: Message) -> int:
    versions: dict[str, int] = {}
    for entry in _messages(top, _OPSET_IMPORT):
        domain = _text(entry, 1)
        domain = "" if domain == "ai.onnx" else domain
        if domain in versions:
            raise RefusedMessage(f"two versions of the operators of domain {domain!r}")
        versions[domain] = _integer(entry, 2)
    return versions.get("", 0)


def _metadata(top: Message) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for entry in _messages(top, _METADATA):
        key = _text(entry, 1)
        if key in metadata:
            raise RefusedMessage(f"metadata_props has {key!r} twice")
        metadata[key] = _text(entry, 2)
    return metadata


def _names(graph: Message, number: int) -> tuple[str, ...]:
    return tuple(_text(value, 1) for value in _messages(graph, number))


def _last_sides(graph: Message) -> dict[str, int]:
    sides: dict[str, int] = {}
    for output in _messages(graph, _OUTPUT):
        inner = [output]
        for number in (_TYPE, _TENSOR_TYPE, _SHAPE, _DIM):
            inner = [found for message in inner for found in _messages(message, number)]
        side = _integer(inner[-1], _DIM_VALUE) if inner else 0
        if side > 0:
            sides[_text(output, 1)] = side
    return sides


def _messages(message: Message, number: int) -> Iterator[Message]:
    return (value for value in message.get(number, ()) if isinstance(value, dict))


def _integer(message: Message, number: int) -> int:
    """Return a single integer; 0 if it is missing."""
    return next((value for value in message.get(number, ()) if isinstance(value, int)), 0)


def _text(message: Message, number: int) -> str:
    """Return a single text; empty if it is missing."""
    for value in message.get(number, ()):
        if isinstance(value, memoryview):
            try:
                return bytes(value).decode()
            except UnicodeDecodeError as error:
                raise DamagedMessage(f"field {number} is not UTF-8") from error
    return ""
