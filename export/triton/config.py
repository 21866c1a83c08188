"""The text of Triton's config.pbtxt, from the graph that it describes.

Sources: Triton's "Model Configuration" and "Model Repository", its model_config.proto, and the onnxruntime backend's
README and source (``CompareDimsSupported``, ``AutoCompleteMaxBatch``).
"""

import json
from collections.abc import Iterator, Sequence

import onnx

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible

__all__ = ["LABELS_FILE", "MODEL_FILE", "model_config"]

LABELS_FILE = "labels.txt"
#: What Triton's onnxruntime backend looks for in the folder of a version.
MODEL_FILE = "model.onnx"

_TYPES: dict[int, str] = {
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.FLOAT16: "TYPE_FP16",
    onnx.TensorProto.UINT8: "TYPE_UINT8",
}
_ANY_SIZE = -1

# One thread for each instance: with more, all instances would share the same cores. Memory patterns are plans for one
# size of the input.
_SETTINGS = """
instance_group [ { count: 1 kind: KIND_CPU } ]
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "inter_op_thread_count" value { string_value: "1" } }
parameters { key: "enable_mem_pattern" value { string_value: "0" } }
version_policy { latest { num_versions: 1 } }
"""


def model_config(
    graph: onnx.GraphProto,
    *,
    name: str,
    max_batch_size: int,
    labelled: str,
    notes: Sequence[str],
) -> str:
    """Write config.pbtxt for a graph.

    Args:
        graph: Each input and output states its rank.
        name: Of the model's folder.
        max_batch_size: 0 for a graph without a batch axis. With one it must be 1 or more: the backend may put its own
            default, 4, in the place of 0.
        labelled: The output whose last axis has a class at each place.
        notes: Lines for people, shown as comments.

    Returns:
        Protocol-buffer text, ASCII.

    Raises:
        BundleIncompatible: A tensor of a type or shape that Triton does not take.
    """
    parts = [
        *(f"# {note}" for note in (RESEARCH_USE_ONLY, *notes)),
        f"name: {json.dumps(name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {max_batch_size}",
        *_tensors("input", graph.input, has_batch=max_batch_size > 0, labelled=""),
        *_tensors("output", graph.output, has_batch=max_batch_size > 0, labelled=labelled),
    ]
    if max_batch_size > 1:
        parts.append("dynamic_batching { }")
    return "\n".join(parts) + _SETTINGS


def _tensors(
    kind: str, values: Sequence[onnx.ValueInfoProto], *, has_batch: bool, labelled: str
) -> Iterator[str]:
    for value in values:
        tensor = value.type.tensor_type
        shape = [dimension.dim_value or _ANY_SIZE for dimension in tensor.shape.dim]
        if tensor.elem_type not in _TYPES or not shape or (has_batch and shape[0] != _ANY_SIZE):
            raise BundleIncompatible(
                f"model.onnx: {kind} {value.name} is of type {tensor.elem_type} and shape {shape}, "
                "which a model repository of Triton cannot describe",
                hint="export it again",
            )
        dims = ", ".join(map(str, shape[1:] if has_batch else shape))
        fields = (
            f"name: {json.dumps(value.name)} data_type: {_TYPES[tensor.elem_type]} dims: [ {dims} ]"
        )
        if value.name == labelled:
            fields += f' label_filename: "{LABELS_FILE}"'
        yield f"{kind} [ {{ {fields} }} ]"
