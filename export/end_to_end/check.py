"""The comparison of a one-file model with its bundle, on images of many sizes and shapes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS
from edge_infer.errors import ParityFailed
from edge_infer.image_file import read_image
from edge_infer.preprocessing import preprocess
from export.end_to_end.preprocessing import IMAGE_NAME, preprocessing_graph
from export.sessions import open_other_graph
from export.to_onnx import OPSET
from train.phantoms import phantom

__all__ = ["EVIDENCE_ATOL", "PROBABILITY_ATOL", "check_end_to_end", "check_images", "open_file"]

#: Largest difference of a probability from the bundle's. Preprocessing gives the same bits; the difference that remains
#: comes from onnxruntime, which may sum in another order.
PROBABILITY_ATOL = 1e-3

#: Largest difference of the evidence, in logit units, relative to its largest value.
EVIDENCE_ATOL = 1e-3

#: (height, width): shrunk, enlarged, both at once, tall (where Pillow swaps its two passes), tiny.
_SIZES = (
    (512, 512),
    (225, 225),
    (630, 474),
    (474, 630),
    (300, 200),
    (200, 300),
    (900, 150),
    (150, 900),
    (97, 131),
    (16, 16),
    (1365, 1024),
)


def check_end_to_end(data: bytes, bundle: Bundle) -> dict[str, Any]:
    """Compare a one-file model with the bundle it was made from, on grey and coloured phantoms of many sizes.

    Args:
        data: The file.
        bundle: That it was made from.

    Returns:
        ``pictures``, the number of images; ``max_probability_difference`` and ``max_evidence_difference`` (relative);
        ``pixel_values_differing``, a share; the tolerances.

    Raises:
        ParityFailed: A label, a probability or the evidence differs.
    """
    classifier = Classifier(bundle, num_threads=1)
    session = open_file(data)
    preprocessing = preprocessing_graph(bundle.preprocessor, opset=OPSET)
    preprocessing.graph.input[0].type.tensor_type.ClearField("shape")
    preprocessing_only = open_file(preprocessing.SerializeToString())
    count, probability, evidence, differing = 0, 0.0, 0.0, []
    for image in check_images(bundle):
        count += 1
        expected = classifier.predict(image)
        given, given_evidence = session.run(None, {IMAGE_NAME: image})
        wanted = np.array(list(expected.probabilities.values()))
        difference = float(np.abs(given - wanted).max())
        scale = max(1.0, float(np.abs(expected.evidence).max()))
        evidence_difference = float(np.abs(given_evidence - expected.evidence).max()) / scale
        label = bundle.labels[int(given.argmax())]
        if label != expected.label or not difference <= PROBABILITY_ATOL:
            raise ParityFailed(
                f"one-file model: a {_shape(image)} image gives {label}, probabilities off by {difference:.1e}; "
                f"expected {expected.label} within {PROBABILITY_ATOL:.0e}",
                hint="check that Pillow is 13 or newer: it changed how tall images are resized",
            )
        if not evidence_difference <= EVIDENCE_ATOL:
            raise ParityFailed(
                f"one-file model: evidence of a {_shape(image)} image is off by {evidence_difference:.1e}, "
                f"allowed is {EVIDENCE_ATOL:.0e}"
            )
        probability, evidence = max(probability, difference), max(evidence, evidence_difference)
        pixel_values = preprocessing_only.run(None, {IMAGE_NAME: image})[0]
        reference = preprocess(read_image(image), bundle.preprocessor)
        differing.append(float((pixel_values != reference).mean()))
    return {
        "pictures": count,
        "max_probability_difference": probability,
        "max_evidence_difference": evidence,
        "pixel_values_differing": float(np.mean(differing)),
        "atol": {"probabilities": PROBABILITY_ATOL, "evidence": EVIDENCE_ATOL},
        "reference": "Python, the same bundle",
    }


def open_file(data: bytes) -> onnxruntime.InferenceSession:
    """Open a one-file model on one thread, as docs/end-to-end.md recommends for programs in other languages."""
    return open_other_graph(data, num_threads=1)


def check_images(bundle: Bundle) -> Iterator[NDArray[np.uint8]]:
    """Draw phantoms, each size once grey and once as tinted RGB, so that the conversion to grey is tested."""
    generator = np.random.default_rng(0)
    size = bundle.preprocessor
    for number, (height, width) in enumerate((*_SIZES, (size.height, size.width))):
        drawn = Image.fromarray(phantom(LABELS[number % len(LABELS)], generator, 256))
        grey = np.asarray(drawn.resize((width, height)))
        yield grey
        tint = generator.uniform(0.6, 1.0, 3)
        yield (grey[:, :, None] * tint).astype(np.uint8)


def _shape(image: NDArray[np.uint8]) -> str:
    return " x ".join(map(str, image.shape))
