"""The messages and fields that a bundle's model.onnx may have; anything else is refused.

Field numbers and types are from onnx.proto of ONNX 1.23. Fields that a bundle may not have (``REFUSED_FIELDS`` has
messages for them) and fields that no exporter here writes are left out.
"""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["MESSAGES", "REFUSED_FIELDS", "FieldType"]


class FieldType(NamedTuple):
    """The type of a field.

    Attributes:
        kind: ``int32``, ``int64``, ``uint64``, ``float``, ``double``, ``bytes`` or the name of a message.
        is_repeated: Whether it may occur more than once.
        choice: Fields of one message with the same name here are mutually exclusive.
    """

    kind: str
    is_repeated: bool = False
    choice: str = ""


def _one(kind: str) -> FieldType:
    return FieldType(kind)


def _many(kind: str) -> FieldType:
    return FieldType(kind, is_repeated=True)


def _either(kind: str) -> FieldType:
    return FieldType(kind, choice="value")


_BYTES, _INT32, _INT64 = _one("bytes"), _one("int32"), _one("int64")
_METADATA = _many("StringStringEntryProto")

#: By name of a message, by number of a field.
MESSAGES: Mapping[str, Mapping[int, FieldType]] = {
    "ModelProto": {
        1: _INT64,  # ir_version
        2: _BYTES,  # producer_name
        3: _BYTES,  # producer_version
        4: _BYTES,  # domain
        5: _INT64,  # model_version
        6: _BYTES,  # doc_string
        7: _one("GraphProto"),
        8: _many("OperatorSetIdProto"),
        14: _METADATA,
    },
    "OperatorSetIdProto": {1: _BYTES, 2: _INT64},
    "StringStringEntryProto": {1: _BYTES, 2: _BYTES},
    "GraphProto": {
        1: _many("NodeProto"),
        2: _BYTES,  # name
        5: _many("TensorProto"),  # initializer
        10: _BYTES,  # doc_string
        11: _many("ValueInfoProto"),  # input
        12: _many("ValueInfoProto"),  # output
        13: _many("ValueInfoProto"),  # value_info
        14: _many("TensorAnnotation"),
        16: _METADATA,
    },
    "NodeProto": {
        1: _many("bytes"),  # input
        2: _many("bytes"),  # output
        3: _BYTES,  # name
        4: _BYTES,  # op_type
        5: _many("AttributeProto"),
        6: _BYTES,  # doc_string
        7: _BYTES,  # domain
        8: _BYTES,  # overload
        9: _METADATA,
    },
    "AttributeProto": {
        1: _BYTES,  # name
        2: _one("float"),
        3: _INT64,
        4: _BYTES,  # s
        5: _one("TensorProto"),
        7: _many("float"),
        8: _many("int64"),
        9: _many("bytes"),
        10: _many("TensorProto"),
        13: _BYTES,  # doc_string
        14: _one("TypeProto"),
        15: _many("TypeProto"),
        20: _INT32,  # type
    },
    "TensorProto": {
        1: _many("int64"),  # dims
        2: _INT32,  # data_type
        4: _many("float"),
        5: _many("int32"),
        7: _many("int64"),
        8: _BYTES,  # name
        9: _BYTES,  # raw_data
        10: _many("double"),
        11: _many("uint64"),
        12: _BYTES,  # doc_string
        14: _INT32,  # data_location
        16: _METADATA,
    },
    "TensorAnnotation": {1: _BYTES, 2: _METADATA},
    "ValueInfoProto": {1: _BYTES, 2: _one("TypeProto"), 3: _BYTES, 4: _METADATA},
    "TypeProto": {
        1: _either("TensorType"),
        4: _either("NestedType"),  # sequence
        5: _either("MapType"),
        6: _BYTES,  # denotation
        8: _either("TensorType"),  # sparse
        9: _either("NestedType"),  # optional
    },
    "TensorType": {1: _INT32, 2: _one("TensorShapeProto")},
    "NestedType": {1: _one("TypeProto")},
    "MapType": {1: _INT32, 2: _one("TypeProto")},
    "TensorShapeProto": {1: _many("Dimension")},
    "Dimension": {1: _either("int64"), 2: _either("bytes"), 3: _BYTES},
}

_IN_ANOTHER_FILE = "weights lie in another file, expected all of them inside"
_SPARSE = "holds sparse weights, which can stand for a tensor of any size, expected dense ones"
_TEXT = "holds weights of text, expected numbers"
_GRAPH_IN_A_NODE = "holds control flow (a graph inside a node), expected none"

#: What is refused by name, and what is said then.
REFUSED_FIELDS: Mapping[tuple[str, int], str] = {
    ("ModelProto", 20): "holds training information, expected a graph alone",
    ("ModelProto", 25): "holds local functions, expected plain operators",
    ("AttributeProto", 6): _GRAPH_IN_A_NODE,
    ("AttributeProto", 11): _GRAPH_IN_A_NODE,
    ("AttributeProto", 22): _SPARSE,
    ("AttributeProto", 23): _SPARSE,
    ("GraphProto", 15): _SPARSE,
    ("TensorProto", 6): _TEXT,
    ("TensorProto", 13): _IN_ANOTHER_FILE,
}
