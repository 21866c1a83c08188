"""Writing an ONNX graph node by node, with names that can be understood in a profile."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_infer.contract import INPUT_NAME, OUTPUT_NAMES

__all__ = ["IR_VERSION", "MICROSOFT", "OPSET", "GraphBuilder"]

#: Antialiased Resize, LayerNormalization and friends; Optimum's default too.
OPSET = 18

#: Older onnxruntime and onnxruntime-web refuse newer ones (microsoft/onnxruntime#20559, #23602).
IR_VERSION = 10

#: The domain of onnxruntime's own operators.
MICROSOFT = "com.microsoft"


class GraphBuilder:
    """Nodes and constants of one graph; a value is known by its name.

    Example:
        ``scores = builder.node("MatMul", query, key, name="block1.scores")``
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._names: set[str] = set()
        self._constants: dict[str, onnx.TensorProto] = {}

    def node(
        self, op_type: str, *inputs: str, name: str, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output, and return the name of the output, which is also that of the node.

        Args:
            op_type: The operator.
            inputs: Names of values; an empty name leaves an optional input out.
            name: Of node and output; unique in the graph.
            domain: Empty for ONNX's own operators.
            attributes: The operator's.
        """
        return self.nodes(op_type, *inputs, names=(name,), domain=domain, **attributes)[0]

    def nodes(
        self,
        op_type: str,
        *inputs: str,
        names: tuple[str, ...],
        domain: str = "",
        **attributes: Any,
    ) -> tuple[str, ...]:
        """Add a node with several outputs, and return their names; the first is also that of the node."""
        self._nodes.append(
            helper.make_node(op_type, inputs, names, name=names[0], domain=domain, **attributes)
        )
        self._names.update(names)
        return names

    def has(self, name: str) -> bool:
        """Return whether there is a node of this name."""
        return name in self._names

    def constant(self, values: NDArray[Any], name: str) -> str:
        """Add a constant and return its name; a second constant of the same name is not added."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        return name

    def integers(self, *values: int) -> str:
        """Add a constant int64 vector, such as a shape."""
        return self.constant(
            np.array(values, dtype=np.int64), f"int64_{'_'.join(map(str, values))}"
        )

    def reshape(self, value: str, shape: Sequence[int], name: str) -> str:
        """Add a Reshape; 0 keeps a dimension, and -1 stands for what remains."""
        return self.node("Reshape", value, self.integers(*shape), name=name)

    def transpose(self, value: str, order: Sequence[int], name: str) -> str:
        """Add a Transpose."""
        return self.node("Transpose", value, name=name, perm=list(order))

    def finish(
        self, *, height: int, width: int, output_shapes: dict[str, tuple[int, ...]]
    ) -> onnx.ModelProto:
        """Return the graph, with the contract's input and outputs and any batch size.

        Args:
            height: Rows of pixel_values.
            width: Columns of pixel_values.
            output_shapes: Of each output, without the batch dimension.
        """
        self._drop_unused()
        used = {name for node in self._nodes for name in node.input}
        graph = helper.make_graph(
            self._nodes,
            "brain-edge",
            [_value(INPUT_NAME, (3, height, width))],
            [_value(name, output_shapes[name]) for name in OUTPUT_NAMES],
            [tensor for name, tensor in self._constants.items() if name in used],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == MICROSOFT for node in self._nodes):
            opsets.append(helper.make_opsetid(MICROSOFT, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _drop_unused(self) -> None:
        """Remove nodes that no other node reads, such as the float form of a value that is only read in 8 bits."""
        wanted = set(OUTPUT_NAMES)
        kept = []
        for node in reversed(self._nodes):  # each node comes after those it reads
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        self._nodes = kept[::-1]


def _value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
