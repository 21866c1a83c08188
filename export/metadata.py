"""The metadata of model.onnx: the bundle's contract, so that the file alone is enough, and keys that others read."""

import dataclasses
import json

import onnx

from edge_infer.classes import NEGATIVE_FIELD
from edge_infer.contract import METADATA_KEY, OUTPUT_NAMES, RESEARCH_USE_ONLY
from edge_infer.version import __version__
from train.checkpoint import Checkpoint

__all__ = ["with_metadata"]


def with_metadata(graph: onnx.ModelProto, checkpoint: Checkpoint, precision: str) -> bytes:
    """Write the metadata into a graph, in place, and return the graph as the bytes of model.onnx.

    Args:
        graph: That ships.
        checkpoint: That it was made from.
        precision: ``fp32``, ``fp16`` or ``int8``.
    """
    preprocessor, classes = checkpoint.preprocessor, checkpoint.classes
    contract = {
        "version": 1,
        "labels": list(classes.names),
        "model": checkpoint.name,
        "precision": precision,
        "outputs": list(OUTPUT_NAMES),
        "preprocessing": dataclasses.asdict(preprocessor),
        "research_use_only": RESEARCH_USE_ONLY,
        **({} if classes.is_brain else {NEGATIVE_FIELD: classes.negative}),
    }
    properties = {
        METADATA_KEY: json.dumps(contract, sort_keys=True),
        # Ultralytics' keys, as JSON
        "task": "classify",
        "names": json.dumps({str(index): label for index, label in enumerate(classes.names)}),
        "imgsz": json.dumps([preprocessor.height, preprocessor.width]),
        "license": "Apache-2.0",
        "description": RESEARCH_USE_ONLY,
        # The ONNX standard's (docs/MetadataProps.md)
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "Normalized_0_1",
    }
    onnx.helper.set_model_props(graph, properties)
    graph.producer_name, graph.producer_version = "brain-edge", __version__
    return bytes(graph.SerializeToString())
