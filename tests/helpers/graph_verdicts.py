"""A graph with every kind of field, and the comparison of graph_facts with the onnx package."""

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from tiny_bundle import tiny_model
from wire_mutations import facts_of_onnx

from edge_infer.errors import BundleError
from edge_infer.graph_facts import graph_facts

__all__ = ["rich_model", "verdict"]


def rich_model() -> ModelProto:
    """A graph with every kind of field that a bundle may have."""
    model = tiny_model()
    model.model_version, model.doc_string, model.domain = -3, "text", "a.b"
    model.opset_import.add(domain="com.microsoft", version=1)
    graph = model.graph
    for kind, values in (
        (TensorProto.FLOAT, [1.5, -2.0]),
        (TensorProto.DOUBLE, [1.5, -2.0]),
        (TensorProto.INT32, [1, -2]),
        (TensorProto.INT64, [1, -(2**40)]),
        (TensorProto.UINT64, [1, 2**63]),
    ):
        graph.initializer.append(helper.make_tensor(f"t{kind}", kind, [2], values))
    constant = numpy_helper.from_array(np.ones((2, 2), np.float32))
    attributes = {
        "f": 1.0, "i": -1, "s": b"x", "t": constant, "floats": [1.0, 2.0], "ints": [1, -2],
        "strings": [b"x", b"y"], "tensors": [constant, constant],
        "type": helper.make_tensor_type_proto(1, [2, "n"]),
        "types": [helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, None))],
    }  # fmt: skip
    graph.node.append(helper.make_node("Constant", [], ["c"], name="c", **attributes))
    graph.node[-1].metadata_props.add(key="k", value="v")
    graph.value_info.append(
        helper.make_value_info(
            "m", helper.make_map_type_proto(7, helper.make_tensor_type_proto(1, []))
        )
    )
    graph.quantization_annotation.add(tensor_name="q").quant_parameter_tensor_names.add(key="a")
    graph.metadata_props.add(key="k", value="v")
    return model


def verdict(data: bytes) -> str:
    """Compare with the onnx package: refused, the same, or a difference."""
    try:
        facts = graph_facts(data)
    except BundleError:
        return "refused"
    model = onnx.load_from_string(data)
    expected = facts_of_onnx(model)
    assert expected.pop("forbidden") == []
    assert expected == {name: getattr(facts, name) for name in expected}
    return "the same"
