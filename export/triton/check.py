"""What must hold before a model may be batched: an image's answer does not depend on the others of its batch."""

import numpy as np
import onnx
from PIL import Image

from edge_infer.bundle import Bundle
from edge_infer.contract import LABELS
from edge_infer.errors import ParityFailed
from edge_infer.prediction import softmax
from edge_infer.preprocessing import preprocess
from export.sessions import open_graph
from train.phantoms import phantom

__all__ = ["PROBABILITY_ATOL", "check_batch"]

#: Largest difference of a probability between an image alone and in a batch: kernels may sum in another order, and in
#: INT8 an activation may then be rounded to its neighbour.
PROBABILITY_ATOL = 1e-3


def check_batch(graph: onnx.ModelProto, bundle: Bundle, size: int) -> float:
    """Run phantoms as one batch and one by one.

    Args:
        graph: The bundle's own.
        bundle: That it is of.
        size: Images in the batch.

    Returns:
        The largest difference of a probability.

    Raises:
        ParityFailed: It is larger than ``PROBABILITY_ATOL``.
    """
    generator = np.random.default_rng(0)
    drawn = [phantom(LABELS[number % len(LABELS)], generator) for number in range(size)]
    images = [preprocess(Image.fromarray(grey), bundle.preprocessor) for grey in drawn]
    session = open_graph(graph, num_threads=1)
    alone = np.concatenate([session.run(image)[0] for image in images])
    together = session.run(np.concatenate(images))[0]
    difference = float(
        np.abs(softmax(together, bundle.temperature) - softmax(alone, bundle.temperature)).max()
    )
    if not difference <= PROBABILITY_ATOL:
        raise ParityFailed(
            f"model.onnx: a batch of {size} changes probabilities by {difference:.1e}, "
            f"allowed is {PROBABILITY_ATOL:.0e}"
        )
    return difference
