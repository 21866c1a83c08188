"""Graphs in memory, opened as the runtime will open them in a bundle."""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from edge_infer.runtime import import_onnxruntime
from edge_infer.saturation import avoid_saturation
from edge_infer.session import Session, open_session

__all__ = ["largest_weight", "open_graph", "open_other_graph"]

_ERRORS_ONLY = 3


def open_graph(graph: onnx.ModelProto, *, num_threads: int | None = None) -> Session:
    """Open a session on the CPU with the very options that the runtime will use.

    Args:
        graph: With the inputs and outputs of the contract.
        num_threads: Threads within one operator; by default the usable cores.

    Raises:
        BundleIncompatible: onnxruntime cannot load the graph.
    """
    return open_session(
        graph.SerializeToString(), num_threads=num_threads, largest_weight=largest_weight(graph)
    )


def open_other_graph(
    data: bytes, *, num_threads: int | None = None
) -> onnxruntime.InferenceSession:
    """Open a graph whose inputs or outputs are not those of the contract, with the runtime's guard for 8-bit products.

    Args:
        data: The graph, serialized.
        num_threads: Threads within one operator; by default onnxruntime's choice.
    """
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = num_threads or 0  # 0: onnxruntime's choice
    avoid_saturation(options)
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def largest_weight(graph: onnx.ModelProto) -> int:
    """Return the largest absolute value among the int8 constants of a graph; 0 without any.

    These are the weights that uint8 activations are multiplied by; ``export`` makes no int8 activations.
    """
    return max(
        (
            int(np.abs(numpy_helper.to_array(tensor).astype(np.int16)).max(initial=0))
            for tensor in graph.graph.initializer
            if tensor.data_type == onnx.TensorProto.INT8
        ),
        default=0,
    )
