"""Drawn lesions as they typically look after contrast: the pattern of a class, not a real case."""

import numpy as np

from train.phantoms.head import Canvas, Floats, Plane, ellipse, paint, smooth_noise, soft

__all__ = ["draw_lesion"]


def draw_lesion(rng: np.random.Generator, canvas: Canvas, grey: Floats, label: str) -> Floats:
    """Draw the lesion of a class into a head; ``no_tumor`` gets none.

    Args:
        rng: Source of place, size and shape.
        canvas: Of the head.
        grey: float32, (H, W), grey values 0..255.
        label: Canonical class name.
    """
    if label == "glioma":
        return _glioma(rng, canvas, grey)
    if label == "meningioma":
        return _meningioma(rng, canvas, grey)
    if label == "pituitary":
        return _pituitary(rng, canvas, grey)
    return grey


def _glioma(rng: np.random.Generator, canvas: Canvas, grey: Floats) -> Floats:
    """Inside the brain, irregular: a bright uneven ring, a dark core, dim oedema around it."""
    x, y = _polar(canvas, rng.uniform(0.3, 0.6), _free_angle(rng, canvas.plane))
    size = rng.uniform(0.15, 0.27)
    blob = _blob(rng, canvas, x, y, size, roughness=0.17)
    fingers = blob - 0.16 * smooth_noise(rng, len(grey), 9) - rng.uniform(0.35, 0.6)
    grey = paint(grey, 76.0, 0.75 * soft(fingers, 0.08) * canvas.brain)
    enhancing = rng.uniform(205, 240) + 18 * smooth_noise(rng, len(grey), 16)
    grey = paint(grey, enhancing, soft(blob, 0.06) * canvas.brain)
    core = blob + rng.uniform(0.25, 0.42) + 0.07 * smooth_noise(rng, len(grey), 10)
    return paint(grey, rng.uniform(30, 60), soft(core, 0.06) * canvas.brain)


def _meningioma(rng: np.random.Generator, canvas: Canvas, grey: Floats) -> Floats:
    """Outside the brain, on the dura of the vault or the falx: round, even, bright, with a tail."""
    size = rng.uniform(0.13, 0.24)
    bright = rng.uniform(205, 238)
    if canvas.plane != "sagittal" and rng.random() < 0.25:
        x = rng.choice([-1.0, 1.0]) * 0.8 * size
        y = rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.42) if canvas.plane == "axial" else -0.4
        tail = ellipse(canvas, canvas.x, canvas.y - y, 0.012, 1.6 * size)
    else:
        angle = _free_angle(rng, canvas.plane)
        x, y = _polar(canvas, 1 - 0.62 * size / min(canvas.head_axes()), angle)
        turned = np.angle(np.exp(1j * (canvas.angle - angle)))
        rim = np.exp(-(((canvas.radius - 0.83) / 0.018) ** 2))
        tail = (rim * np.exp(-((turned / (2.3 * size)) ** 4))).astype(np.float32)
    grey = paint(grey, bright, 0.85 * tail)
    blob = _blob(rng, canvas, x, y, size, roughness=0.035)
    grey = paint(grey, 40.0, 0.6 * soft(blob - 0.07, 0.04) * canvas.brain)  # a cleft of fluid
    return paint(
        grey, bright + 4 * smooth_noise(rng, len(grey), 20), soft(blob, 0.04) * canvas.brain
    )


def _pituitary(rng: np.random.Generator, canvas: Canvas, grey: Floats) -> Floats:
    """In the sella: midline, low, small, bright, in a dark cistern; larger ones have a waist."""
    places = {"axial": (0.0, -0.12), "coronal": (0.0, 0.36), "sagittal": (0.12, 0.38)}
    x, y = places[canvas.plane]
    x, y = x + rng.normal(0, 0.012), y + rng.normal(0, 0.02)
    width, height = rng.uniform(0.07, 0.125), rng.uniform(0.07, 0.12)
    dx, dy = canvas.x - np.float32(x), canvas.y - np.float32(y)
    cistern = ellipse(canvas, dx, dy + 0.04, width + 0.07, height + 0.06)
    grey = paint(grey, 36.0, 0.85 * cistern)
    bright = rng.uniform(185, 230)
    grey = paint(grey, bright, ellipse(canvas, dx, dy, width, height))
    if canvas.plane != "axial" and rng.random() < 0.6:
        above = ellipse(canvas, dx, dy + height, 0.75 * width, 0.7 * height)
        grey = paint(grey, bright, above)
    return grey


def _polar(canvas: Canvas, share: float, angle: float) -> tuple[float, float]:
    """Return the place at a share of the way from the head's centre to the brain's rim."""
    width, height = canvas.head_axes()
    return share * width * float(np.cos(angle)), share * height * float(np.sin(angle))


def _free_angle(rng: np.random.Generator, plane: Plane) -> float:
    """Choose a direction; not towards the skull base in coronal and sagittal slices."""
    return float(rng.uniform(-np.pi, np.pi) if plane == "axial" else rng.uniform(-np.pi, 0.15))


def _blob(
    rng: np.random.Generator, canvas: Canvas, x: float, y: float, size: float, *, roughness: float
) -> Floats:
    """Return the relative distance from the rim of a rounded shape: -1 in its middle, 0 on the rim."""
    dx, dy = canvas.x - np.float32(x), canvas.y - np.float32(y)
    angle = np.arctan2(dy, dx)
    rim = 1 + sum(
        rng.normal(0, roughness / wave**0.5) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
        for wave in (2, 3, 4, 5, 7)
    )
    distance: Floats = np.hypot(dx, dy) / (size * rim) - 1
    return distance.astype(np.float32)
