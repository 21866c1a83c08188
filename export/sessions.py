"""Graphs in memory, opened as the runtime opens the bundle that is made of them."""

import numpy as np
import onnx
from onnx import numpy_helper

from edge_infer.session import Session, open_session

__all__ = ["largest_weight", "open_graph"]


def open_graph(graph: onnx.ModelProto, *, num_threads: int | None = None) -> Session:
    """Open a session on the CPU with the very options the runtime will take.

    Args:
        graph: Any that the runtime may load.
        num_threads: Within one operator; by default the usable cores.

    Raises:
        BundleIncompatible: onnxruntime cannot load the graph.
    """
    return open_session(
        graph.SerializeToString(), num_threads=num_threads, largest_weight=largest_weight(graph)
    )


def largest_weight(graph: onnx.ModelProto) -> int:
    """Return the largest absolute value among the int8 constants of a graph; 0 without any.

    Only products of uint8 activations are asked about: ``export`` writes no int8 ones.
    """
    return max(
        (
            int(np.abs(numpy_helper.to_array(tensor).astype(np.int16)).max(initial=0))
            for tensor in graph.graph.initializer
            if tensor.data_type == onnx.TensorProto.INT8
        ),
        default=0,
    )
