"""The two graphs of a bundle that Triton serves, and whether images may share a run."""

import onnx

from edge_infer.bundle import Bundle
from export.end_to_end.check import check_end_to_end
from export.end_to_end.preprocessing import IMAGE_NAME
from export.end_to_end.write import end_to_end_graph

__all__ = ["depends_on_batch", "image_graph"]

#: They choose one scale for a whole tensor, so for all images of a batch.
_SCALED_WHILE_RUNNING = frozenset(
    {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
)


def depends_on_batch(model: onnx.ModelProto) -> bool:
    """Whether the answer to an image depends on the others in its batch: INT8 whose scales are chosen while it runs."""
    return any(node.op_type in _SCALED_WHILE_RUNNING for node in model.graph.node)


def image_graph(model: onnx.ModelProto, bundle: Bundle) -> onnx.ModelProto:
    """Return the bundle as one graph from an RGB image of any size to probabilities.

    It is the one-file model, whose input has no fixed rank, with the rank that Triton asks for: (height, width, 3).

    Args:
        model: The bundle's graph.
        bundle: That it is of.

    Raises:
        BundleIncompatible: Operators that are not ONNX's own, or a filter other than bilinear.
        ParityFailed: It does not answer as the bundle does.
    """
    graph = end_to_end_graph(
        model, bundle.preprocessor, temperature=bundle.temperature, labels=bundle.labels
    )
    check_end_to_end(graph.SerializeToString(), bundle)
    shape: list[str | int | None] = ["height", "width", 3]
    image = onnx.helper.make_tensor_value_info(IMAGE_NAME, onnx.TensorProto.UINT8, shape)
    graph.graph.input[0].CopyFrom(image)
    onnx.checker.check_model(graph)  # with a rank, nothing is left to complain about
    return graph
