"""Weights are what their sides say, and a graph holds only operators that compute from what is there."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper
from tiny_bundle import tiny_model

from edge_infer.errors import ContentRefused
from edge_infer.graph_facts import graph_facts
from edge_infer.operators import OPERATORS

#: Of the types without text, complex numbers, and numbers of 6 bits, with which nothing here computes.
_TYPES = [
    number
    for name, number in sorted(TensorProto.DataType.items())
    if not name.startswith(("UNDEFINED", "STRING", "COMPLEX", "FLOAT6"))
]


def with_tensor(tensor: TensorProto) -> bytes:
    """A model that holds a tensor among its weights."""
    model = tiny_model()
    model.graph.initializer.append(tensor)
    return model.SerializeToString()


@pytest.mark.parametrize("number", _TYPES, ids=TensorProto.DataType.Name)
def test_every_type_of_number_is_taken_as_onnx_writes_it(number: int) -> None:
    in_fields = helper.make_tensor("t", number, [5], [1, 0, 1, 1, 0])
    graph_facts(with_tensor(in_fields))
    in_bytes = numpy_helper.from_array(numpy_helper.to_array(in_fields), "t")
    assert in_bytes.raw_data
    graph_facts(with_tensor(in_bytes))
    for sides in ([6 if number not in range(21, 27) else 9], [5, 5], [], [-5], [2**63 - 1, 2]):
        for tensor in (in_fields, in_bytes):
            del tensor.dims[:]
            tensor.dims.extend(sides)
            with pytest.raises(ContentRefused, match=r"weights|a side"):
                graph_facts(with_tensor(tensor))


def test_scalars_and_empty_weights_are_taken() -> None:
    for array in (np.float32(3), np.zeros((0,), np.float32), np.zeros((2, 0, 3), np.int64)):
        graph_facts(with_tensor(numpy_helper.from_array(np.asarray(array), "t")))


def test_sides_that_are_packed_are_read() -> None:
    whole = with_tensor(helper.make_tensor("t", TensorProto.FLOAT, [3, 2], [0.0] * 6))
    assert whole.count(b"\x08\x03\x08\x02") == 1
    graph_facts(whole.replace(b"\x08\x03\x08\x02", b"\x0a\x02\x03\x02"))  # as proto3 writes them
    with pytest.raises(ContentRefused, match="6 numbers, expected 9"):
        graph_facts(whole.replace(b"\x08\x03\x08\x02", b"\x0a\x02\x03\x03"))


def text(tensor: TensorProto) -> None:
    tensor.CopyFrom(helper.make_tensor("t", TensorProto.STRING, [1], [b"text"]))


def unknown_type(tensor: TensorProto) -> None:
    tensor.data_type = 99


def both_ways(tensor: TensorProto) -> None:
    tensor.raw_data = bytes(8)


def wrong_field(tensor: TensorProto) -> None:
    tensor.ClearField("float_data")
    tensor.int64_data.extend([1, 2])


def many_sides(tensor: TensorProto) -> None:
    tensor.dims.extend([1] * 100)


def segment(tensor: TensorProto) -> None:
    tensor.segment.end = 2**60


@pytest.mark.parametrize("spoil", [text, unknown_type, both_ways, wrong_field, many_sides, segment])
def test_weights_that_are_no_plain_numbers_are_refused(
    spoil: Callable[[TensorProto], None],
) -> None:
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [2], [1.0, 2.0])
    spoil(tensor)
    with pytest.raises(ContentRefused) as caught:
        graph_facts(with_tensor(tensor))
    assert caught.value.exit_code == 33


def test_millions_of_numbers_are_counted_at_once() -> None:
    tensor = TensorProto(name="t", data_type=TensorProto.INT64, dims=[3_000_000])
    tensor.int64_data.extend([300] * 3_000_000)
    data = with_tensor(tensor)
    began = time.process_time()
    graph_facts(data)
    assert time.process_time() - began < 2


def sparse_weights(model: ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add(dims=[2**40])
    sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [2]))


def sparse_constant(model: ModelProto) -> None:
    attribute = AttributeProto(name="sparse_value", type=AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.dims.append(2**40)
    model.graph.node[0].attribute.append(attribute)


@pytest.mark.parametrize("spoil", [sparse_weights, sparse_constant])
def test_sparse_weights_are_refused(spoil: Callable[[ModelProto], None]) -> None:
    model = tiny_model()
    spoil(model)
    with pytest.raises(ContentRefused, match="sparse"):
        graph_facts(model.SerializeToString())


@pytest.mark.parametrize(
    "operator",
    [
        "ConstantOfShape",
        "Range",
        "Tile",
        "OneHot",
        "EyeLike",
        "RandomNormal",
        "ImageDecoder",
        "NotYetKnown",
        "",
    ],
)
def test_only_operators_that_compute_from_what_is_there_are_taken(operator: str) -> None:
    model = tiny_model()
    model.graph.node.append(helper.make_node(operator, ["pixel_values"], ["x"]))
    with pytest.raises(ContentRefused, match="compute from what is there"):
        graph_facts(model.SerializeToString())


def test_no_operator_of_the_list_can_be_a_loop_or_name_a_file() -> None:
    never = {
        "If",
        "Loop",
        "Scan",
        "SequenceMap",
        "BeamSearch",
        "GreedySearch",
        "Sampling",
        "WhisperBeamSearch",
    }
    assert not OPERATORS & {*never, "EPContext", "PyOp", "ConstantOfShape", "Tile", "Range"}
