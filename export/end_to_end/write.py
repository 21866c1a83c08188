"""One file for other languages: uint8 image of any size in, probabilities out, standard operators only.

Preprocessing and temperature are in the graph, so a program in Node, C# or C++ cannot get them wrong. Decoding, EXIF
orientation, scaling of 16-bit pixels and refusals are left to the caller (docs/end-to-end.md).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import compose
from onnxruntime.transformers.onnx_model import OnnxModel

from edge_infer.atomic import write_bytes_atomically
from edge_infer.bundle import Bundle
from edge_infer.classes import BRAIN
from edge_infer.contract import INPUT_NAME, METADATA_KEY, OUTPUT_NAMES, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible
from edge_infer.graph_facts import graph_facts
from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.version import __version__
from export.end_to_end.check import check_end_to_end
from export.end_to_end.preprocessing import IMAGE_NAME, preprocessing_graph
from export.to_onnx import IR_VERSION, OPSET

__all__ = ["ANSWER_NAMES", "end_to_end_graph", "graph_of_image", "write_end_to_end"]

#: The outputs: float32 (classes,), summing to 1, and evidence float32 (classes, h, w).
ANSWER_NAMES = ("probabilities", "evidence")

_PREFIX = "model/"
_DEFAULT_DOMAIN = ("", "ai.onnx")


def write_end_to_end(bundle: Bundle, target: Path) -> dict[str, Any]:
    """Write a bundle as one file, after checking that it gives the bundle's own answers.

    Args:
        bundle: As loaded; its graph must hold standard operators only.
        target: The file; its folder must exist.

    Returns:
        What ``check_end_to_end`` returns, and ``size_bytes``.

    Raises:
        BundleIncompatible: Operators that are not ONNX's own, or a filter other than bilinear.
        ParityFailed: It does not answer as the bundle does; nothing is written.
        CannotWrite: The target cannot be written; what was there before is unharmed.
    """
    graph = end_to_end_graph(
        onnx.load_from_string(bundle.model_bytes),
        bundle.preprocessor,
        temperature=bundle.temperature,
        labels=bundle.labels,
    )
    data = bytes(graph.SerializeToString())
    # It refuses what it refuses in a bundle; but an image of any size needs the numbers of its rows and columns.
    graph_facts(data, also={"Range"})
    figures = check_end_to_end(data, bundle)
    write_bytes_atomically(target, data)
    return {**figures, "size_bytes": len(data)}


def end_to_end_graph(
    model: onnx.ModelProto,
    preprocessor: PreprocessorConfig,
    *,
    temperature: float,
    labels: tuple[str, ...] = BRAIN.names,
) -> onnx.ModelProto:
    """Put preprocessing before a graph and the softmax after it.

    Args:
        model: From ``pixel_values`` to logits, embeddings and evidence; it is not changed.
        preprocessor: Size, filter and scaling of the bundle.
        temperature: What logits are divided by before the softmax.
        labels: In the order of the logits.

    Returns:
        From ``image``, uint8 (H, W, 3), (H, W, 1) or (H, W) of any size, to ``probabilities`` and ``evidence``.
        The input states no rank, since both two and three dimensions are allowed. ONNX requires a rank for a file's
        inputs, so ``onnx.checker`` reports that, and nothing else; onnxruntime accepts such a graph.

    Raises:
        BundleIncompatible: Operators that are not ONNX's own, or a filter other than bilinear.
    """
    behind = _answer_graph(_output(model, OUTPUT_NAMES[2]), temperature, _opset(model))
    graph = graph_of_image(model, preprocessor, (OUTPUT_NAMES[0], OUTPUT_NAMES[2]), behind)
    graph.graph.name = "brain_edge_end_to_end"
    onnx.helper.set_model_props(graph, _properties(model, temperature, labels))
    return graph


def graph_of_image(
    model: onnx.ModelProto,
    preprocessor: PreprocessorConfig,
    outputs: Sequence[str],
    behind: onnx.ModelProto,
) -> onnx.ModelProto:
    """Put preprocessing before a graph and another graph after it.

    Args:
        model: From ``pixel_values``; it is not changed.
        preprocessor: Size, filter and scaling of the bundle.
        outputs: Names of the model's outputs that ``behind`` takes, in the order of its inputs.
        behind: Its outputs are those of the whole.

    Raises:
        BundleIncompatible: Operators that are not ONNX's own, or a filter other than bilinear.
    """
    _refuse_foreign_operators(model)
    inner = onnx.ModelProto()
    inner.CopyFrom(model)
    opset = _opset(inner)
    del inner.opset_import[:]
    inner.opset_import.add(domain="", version=opset)
    inner.ir_version = IR_VERSION
    del inner.metadata_props[:]
    # The fp16 converter leaves its casts at the end; onnxruntime accepts that, the checker does not.
    OnnxModel.graph_topological_sort(inner.graph, is_deterministic=True)
    kept = [_output(inner, name) for name in outputs]
    del inner.graph.output[:]
    inner.graph.output.extend(kept)
    before = preprocessing_graph(preprocessor, opset=opset)
    graph = compose.merge_models(before, inner, io_map=[(INPUT_NAME, INPUT_NAME)], prefix2=_PREFIX)
    taken = [
        (_PREFIX + name, entry.name)
        for name, entry in zip(outputs, behind.graph.input, strict=True)
    ]
    graph = compose.merge_models(graph, behind, io_map=taken)
    del graph.opset_import[:]  # merging repeats it
    graph.opset_import.add(domain="", version=opset)
    graph.graph.input[0].type.tensor_type.ClearField(
        "shape"
    )  # both ranks are allowed; the shapes were checked by merging
    graph.graph.doc_string = RESEARCH_USE_ONLY
    graph.producer_name, graph.producer_version = "brain-edge", __version__
    return graph


def _output(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    outputs: dict[str, onnx.ValueInfoProto] = {output.name: output for output in model.graph.output}
    return outputs[name]


def _refuse_foreign_operators(model: onnx.ModelProto) -> None:
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in model.graph.node
            if node.domain not in _DEFAULT_DOMAIN
        }
    )
    if foreign:
        raise BundleIncompatible(
            f"model.onnx: holds {', '.join(foreign[:5])}, expected operators of ONNX's own for a one-file model",
            hint="export it with --portable",
        )


def _opset(model: onnx.ModelProto) -> int:
    opset = next(
        (entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAIN), 0
    )
    if opset < OPSET:
        raise BundleIncompatible(
            f"model.onnx: opset is {opset}, expected {OPSET} or newer", hint="export it again"
        )
    return opset


def _answer_graph(evidence: onnx.ValueInfoProto, temperature: float, opset: int) -> onnx.ModelProto:
    _, classes, height, width = (
        dimension.dim_value for dimension in evidence.type.tensor_type.shape.dim
    )
    return onnx.parser.parse_model(
        f"""<ir_version: {IR_VERSION}, opset_import: ["" : {opset}]>
answer (float[batch, {classes}] logits, float[batch, {classes}, {height}, {width}] of_batch)
  => (float[{classes}] probabilities, float[{classes}, {height}, {width}] evidence) {{
  temperature = Constant <value = float {{{temperature!r}}}> ()
  tempered = Div (logits, temperature)
  probability_row = Softmax <axis = 1> (tempered)
  batch_axis = Constant <value_ints = [0]> ()
  probabilities = Squeeze (probability_row, batch_axis)
  evidence = Squeeze (of_batch, batch_axis)
}}"""
    )


def _properties(
    model: onnx.ModelProto, temperature: float, labels: tuple[str, ...]
) -> dict[str, str]:
    """Return the bundle's properties; those about the input now describe the image."""
    properties = {entry.key: entry.value for entry in model.metadata_props}
    properties.pop("imgsz", None)  # any size goes in
    contract = {
        **json.loads(properties.get(METADATA_KEY, '{"version": 1}')),
        "form": "end-to-end",
        "input": {
            "name": IMAGE_NAME,
            "type": "uint8",
            "shapes": ["(height, width, 3) RGB", "(height, width)", "(height, width, 1)"],
            "range": [0, 255],
            "caller": "decodes, applies EXIF orientation, scales deeper pixels, puts transparency on black",
        },
        "labels": list(labels),
        "outputs": list(ANSWER_NAMES),
        "research_use_only": RESEARCH_USE_ONLY,
        "temperature": temperature,
    }
    return {
        **properties,
        METADATA_KEY: json.dumps(contract, sort_keys=True),
        "description": RESEARCH_USE_ONLY,
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "NominalRange_0_255",
    }
