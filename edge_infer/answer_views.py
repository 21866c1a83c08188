"""What a page or a host program draws beside an answer: the image as it was read, and the evidence of each place."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from edge_infer.prediction import Prediction

__all__ = ["LONGEST_SIDE", "packed_image", "view_of"]

#: Pixels; a larger image is made smaller, for it is looked at and not measured.
LONGEST_SIDE = 512


def packed_image(image: Image.Image) -> bytes:
    """Return an image as PNG, 8-bit grey, no side longer than ``LONGEST_SIDE``.

    Args:
        image: Mode ``L``.
    """
    shown = image.copy()
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    packed = io.BytesIO()
    shown.save(packed, "PNG", compress_level=1)
    return packed.getvalue()


def view_of(png: bytes, prediction: Prediction | None) -> Mapping[str, Any]:
    """Return the field ``view`` of an answer.

    Args:
        png: Of ``packed_image``.
        prediction: None for an image without an answer, which has no evidence.

    Returns:
        width, height and image (base64 of the PNG); evidence: its shape (classes, h, w) and, in base64, its float32 in
        little-endian order, row by row, classes in the order of ``probabilities``.
    """
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    evidence = None
    if prediction is not None:
        values = np.ascontiguousarray(prediction.evidence, dtype="<f4")
        evidence = {"shape": list(values.shape), "data": _base64(values.tobytes())}
    return {"width": width, "height": height, "image": _base64(png), "evidence": evidence}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
