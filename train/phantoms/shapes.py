"""Drawn phantoms of the other kind: a head with a disk, a ring or nothing in it.

Classes that are not the four brain classes, to try one's own with. As of lesions, only the shape tells them apart:
place, size and brightness have the same distribution in both.
"""

import numpy as np

from train.phantoms.head import Canvas, Floats, paint, soft

__all__ = ["EMPTY", "SHAPES", "draw_shape"]

#: In class order; the class that says that nothing is there is ``EMPTY``.
SHAPES = ("disk", "empty", "ring")
EMPTY = "empty"


def draw_shape(rng: np.random.Generator, canvas: Canvas, grey: Floats, label: str) -> Floats:
    """Draw the shape of a class into a head.

    Args:
        rng: Source of place, size and brightness.
        canvas: Of the head.
        grey: float32, (H, W), grey values 0..255.
        label: Of ``SHAPES``.
    """
    width, height = canvas.head_axes()
    angle, away = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.6)
    x = canvas.x - np.float32(away * width * np.cos(angle))
    y = canvas.y - np.float32(away * height * np.sin(angle))
    radius, bright = rng.uniform(0.12, 0.2), rng.uniform(205, 240)
    distance = np.hypot(x, y) - radius  # below 0 inside
    if label == "ring":
        distance = np.abs(distance + 0.2 * radius) - 0.2 * radius
    elif label != "disk":
        return grey
    return paint(grey, bright, soft(distance, canvas.pixel))
