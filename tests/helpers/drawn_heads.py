"""Drawn heads, and the reasons that are found for an image, for the tests of doubts."""

from functools import cache

import numpy as np
from PIL import Image

from edge_infer.doubts import doubts_about
from edge_infer.image_file import open_source
from edge_infer.reasons import Reason
from train.phantoms import phantom

__all__ = ["head", "heads", "reasons_for"]


def head(size: tuple[int, int] = (256, 256)) -> Image.Image:
    """A bright disc with smooth shading and a fine pattern, on black."""
    rows, columns = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    inside = rows**2 + columns**2 < 0.8
    pattern = 18 * np.sin(60 * rows) * np.sin(60 * columns)
    return Image.fromarray((inside * (110 + 90 * rows + 30 * columns + pattern)).astype(np.uint8))


@cache
def heads() -> tuple[Image.Image, ...]:
    """Three heads with lesions, 256 x 256."""
    labels = ("glioma", "meningioma", "pituitary")
    return tuple(
        Image.fromarray(phantom(label, np.random.default_rng(seed)))
        for seed, label in enumerate(labels)
    )


def reasons_for(image: Image.Image) -> list[Reason]:
    """Return the reasons of an image as the classifier finds them, without one about its size."""
    opened = open_source(image)
    return [doubt.reason for doubt in doubts_about(opened.image, coloured=opened.coloured)]
