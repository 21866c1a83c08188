"""The graph that the page runs: a grey image of any size in; logits, embeddings and evidence out.

Probabilities, scope score and decision are computed from these by the page, as ``edge_infer`` does, so both decide from
the same numbers.
"""

import math

import numpy as np
import onnx

from edge_infer.classifier import Classifier
from edge_infer.contract import OUTPUT_NAMES
from edge_infer.errors import ParityFailed
from edge_infer.graph_facts import graph_facts
from edge_infer.prediction import softmax
from export.end_to_end.check import EVIDENCE_ATOL, PROBABILITY_ATOL, check_images, open_file
from export.end_to_end.preprocessing import IMAGE_NAME
from export.end_to_end.write import graph_of_image
from export.to_onnx import IR_VERSION, OPSET

__all__ = ["web_graph"]

#: Largest relative difference of the scope score.
_SCOPE_RTOL = 1e-3


def web_graph(classifier: Classifier) -> tuple[bytes, float]:
    """Return a bundle's graph with the preprocessing before it, checked to answer as the bundle does.

    Args:
        classifier: Of the bundle.

    Returns:
        The file: from ``image``, uint8 (H, W) of any size, to ``logits`` (classes,), ``embeddings`` (dim,) and
        ``evidence`` (classes, h, w); and the largest difference of a probability.

    Raises:
        BundleIncompatible: Operators that are not ONNX's own, or a filter other than bilinear.
        ParityFailed: It does not answer as the bundle does.
    """
    bundle = classifier.bundle
    model = onnx.load_from_string(bundle.model_bytes)
    graph = graph_of_image(model, bundle.preprocessor, OUTPUT_NAMES, _without_batch(model))
    graph.graph.name = "brain_edge_web"
    data = bytes(graph.SerializeToString())
    # It refuses what it refuses in a bundle; but an image of any size needs the numbers of its rows and columns.
    graph_facts(data, also={"Range"})
    return data, _difference(data, classifier)


def _without_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    shapes = {
        output.name: [side.dim_value for side in output.type.tensor_type.shape.dim][1:]
        for output in model.graph.output
    }
    sides = {name: ", ".join(map(str, shapes[name])) for name in OUTPUT_NAMES}
    given = ", ".join(f"float[batch, {sides[name]}] of_{name}" for name in OUTPUT_NAMES)
    taken = ", ".join(f"float[{sides[name]}] {name}" for name in OUTPUT_NAMES)
    lines = [f"{name} = Squeeze (of_{name}, batch_axis)" for name in OUTPUT_NAMES]
    text = f"""<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
without_batch ({given}) => ({taken}) {{
  batch_axis = Constant <value_ints = [0]> ()
  {"  ".join(lines)}
}}"""
    return onnx.parser.parse_model(text)


def _difference(data: bytes, classifier: Classifier) -> float:
    """Compare the file with the bundle on images of many sizes; return the largest difference of a probability."""
    bundle = classifier.bundle
    session = open_file(data)
    largest = 0.0
    for image in check_images(bundle):
        expected = classifier.predict(image)
        logits, embeddings, evidence = session.run(None, {IMAGE_NAME: image})
        wanted = np.array(list(expected.probabilities.values()))
        difference = float(np.abs(softmax(logits, bundle.temperature) - wanted).max())
        scale = max(1.0, float(np.abs(expected.evidence).max()))
        apart = float(np.abs(evidence - expected.evidence).max()) / scale
        is_near = difference <= PROBABILITY_ATOL and apart <= EVIDENCE_ATOL
        if bundle.scope_model is not None and expected.scope_score is not None:
            score = float(bundle.scope_model.score(embeddings[None])[0])
            is_near = is_near and math.isclose(score, expected.scope_score, rel_tol=_SCOPE_RTOL)
        if not is_near or bundle.labels[int(logits.argmax())] != expected.label:
            raise ParityFailed(
                f"graph of the page: an image of {image.shape[1]} x {image.shape[0]} pixels gets probabilities off by "
                f"{difference:.1e} and evidence off by {apart:.1e}; allowed are {PROBABILITY_ATOL:.0e} and "
                f"{EVIDENCE_ATOL:.0e}, and the same label and scope score",
                hint="check that Pillow is 13 or newer: it changed how tall images are resized",
            )
        largest = max(largest, difference)
    return largest
