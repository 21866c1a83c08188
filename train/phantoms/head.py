"""A drawn head in one of three planes: scalp, skull, brain with sulci, ventricles, midline.

Grey values are those of a T1-weighted slice: fat bright, bone and fluid dark, white matter brighter
than grey. Nothing is measured from real scans.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "Canvas",
    "Floats",
    "Plane",
    "draw_head",
    "ellipse",
    "new_canvas",
    "paint",
    "smooth_noise",
    "soft",
]

Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
Floats: TypeAlias = NDArray[np.float32]

_FLUID, _BONE, _FAT, _GREY, _WHITE = 34.0, 14.0, 205.0, 104.0, 142.0
#: Half axes of the head in each plane, of an image that reaches from -1 to 1.
_HEAD = {"axial": (0.68, 0.84), "coronal": (0.70, 0.78), "sagittal": (0.84, 0.76)}
_BRAIN_RIM = 0.84  # of the head's radius
# Centre x, y and half axes of the fluid-filled parts, for x >= 0; mirrored except in sagittal slices.
_VENTRICLES = {
    "axial": ((0.07, -0.16, 0.045, 0.15), (0.10, 0.16, 0.05, 0.15)),
    "coronal": ((0.09, -0.10, 0.085, 0.05), (0.0, 0.06, 0.018, 0.08)),
    "sagittal": ((0.0, -0.10, 0.24, 0.065), (-0.16, -0.03, 0.08, 0.06)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Coordinates of the pixels of one image.

    Attributes:
        plane: The plane of the slice.
        x: Position to the right of the head's centre, float32, (H, W).
        y: Position below it, float32, (H, W).
        radius: 0 at the head's centre, 1 on its skin, float32, (H, W).
        angle: Around the head's centre, radians, float32, (H, W).
        pixel: The width of one pixel.
    """

    plane: Plane
    x: Floats
    y: Floats
    radius: Floats
    angle: Floats
    pixel: float

    @property
    def brain(self) -> Floats:
        """Share of brain in each pixel, 0..1."""
        return soft(self.radius - _BRAIN_RIM, self.pixel)

    def head_axes(self) -> tuple[float, float]:
        """Half axes of the brain's rim."""
        width, height = _HEAD[self.plane]
        return width * _BRAIN_RIM, height * _BRAIN_RIM


def new_canvas(rng: np.random.Generator, size: int, plane: Plane) -> Canvas:
    """Place a head: turned, shifted, scaled, with a slightly uneven outline."""
    grid = np.linspace(-1, 1, size, dtype=np.float32)
    column, row = np.meshgrid(grid, grid)
    turn, scale = np.deg2rad(rng.uniform(-12, 12)), rng.uniform(0.92, 1.12)
    stretch = rng.uniform(0.95, 1.05)
    column, row = column - rng.uniform(-0.06, 0.06), row - rng.uniform(-0.06, 0.06)
    x = (np.cos(turn) * column + np.sin(turn) * row) * scale * stretch
    y = (-np.sin(turn) * column + np.cos(turn) * row) * scale
    if rng.random() < 0.5:
        x = -x  # in sagittal slices the face looks the other way
    width, height = _HEAD[plane]
    angle = np.arctan2(y / height, x / width)
    outline = 1 + sum(
        rng.normal(0, 0.012) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
        for wave in (2, 3, 4)
    )
    radius = np.hypot(x / width, y / height) / outline
    return Canvas(
        plane=plane,
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        radius=radius.astype(np.float32),
        angle=angle.astype(np.float32),
        pixel=2 / size,
    )


def draw_head(rng: np.random.Generator, canvas: Canvas) -> Floats:
    """Draw a healthy head, float32, (H, W), grey values 0..255."""
    radius, pixel = canvas.radius, canvas.pixel
    grey = np.zeros_like(radius)
    scalp, skull = rng.uniform(0.93, 0.96), rng.uniform(0.87, 0.89)
    grey = paint(grey, _FAT, soft(radius - 1, pixel))
    grey = paint(grey, _BONE, soft(radius - scalp, pixel))
    grey = paint(grey, _FLUID, soft(radius - skull, pixel))
    grey = paint(grey, _brain_tissue(rng, canvas), canvas.brain)
    return _draw_inside(rng, canvas, grey)


def _brain_tissue(rng: np.random.Generator, canvas: Canvas) -> Floats:
    """Draw white matter under a folded grey cortex, with fluid in the folds."""
    size = len(canvas.radius)
    warp = smooth_noise(rng, size, 6)
    depth = _BRAIN_RIM - canvas.radius  # 0 at the rim
    folds = np.cos(canvas.angle * rng.integers(17, 24) + 5 * warp + 9 * depth)
    cortex = 0.09 + 0.05 * folds + 0.03 * smooth_noise(rng, size, 14)
    tissue = paint(np.full_like(depth, _WHITE), _GREY, soft(depth - cortex, 2 * canvas.pixel))
    sulci = np.clip((folds - 0.72) * 4, 0, 1) * soft(depth - 0.15, 0.03)
    tissue = paint(tissue, _FLUID, (0.8 * sulci).astype(np.float32))
    return (tissue + 5 * smooth_noise(rng, size, 24)).astype(np.float32)


def _draw_inside(rng: np.random.Generator, canvas: Canvas, grey: Floats) -> Floats:
    """Draw deep grey matter, ventricles, the midline, and what lies below the brain."""
    x, y = canvas.x, canvas.y
    sided = canvas.plane != "sagittal"
    across = np.abs(x) if sided else x
    grey = paint(grey, _GREY, 0.8 * ellipse(canvas, across - 0.17, y - 0.02, 0.07, 0.12))
    size = rng.uniform(0.75, 1.35)
    for cx, cy, width, height in _VENTRICLES[canvas.plane]:
        inside = ellipse(canvas, across - cx, y - cy, width * size, height * size)
        grey = paint(grey, _FLUID, inside)
    if sided:
        wave = 0.012 * np.sin(9 * y + rng.uniform(0, 6))
        falx = np.exp(-(((x - wave) / (0.8 * canvas.pixel + 0.004)) ** 2))
        grey = paint(
            grey, 60.0, (0.7 * falx * canvas.brain * (np.abs(y) > 0.22)).astype(np.float32)
        )
    if canvas.plane != "axial":
        # The skull base: air and bone, and in sagittal slices the brain stem and cerebellum above.
        base = soft(0.46 + 0.05 * smooth_noise(rng, len(x), 5) - y, canvas.pixel * 2)
        grey = paint(grey, 62 + 30 * smooth_noise(rng, len(x), 10), base * canvas.brain)
        grey = paint(
            grey, _WHITE, ellipse(canvas, x + (0.12 if not sided else 0), y - 0.34, 0.07, 0.2)
        )
    if not sided:
        folia = 96 + 26 * np.sin(70 * np.hypot(x + 0.1, y - 0.1))
        grey = paint(grey, folia, ellipse(canvas, x + 0.38, y - 0.36, 0.2, 0.15) * canvas.brain)
    return grey


def ellipse(
    canvas: Canvas,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    width: float,
    height: float,
) -> Floats:
    """Return the share of each pixel inside an ellipse around x = y = 0, 0..1, with a soft rim."""
    distance = (np.hypot(x / width, y / height) - 1) * min(width, height)
    return soft(distance, canvas.pixel)


def paint(grey: Floats, value: float | NDArray[np.floating], share: Floats) -> Floats:
    """Blend a value over an image."""
    return (grey + (value - grey) * share).astype(np.float32)


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> Floats:
    """Draw a random field that varies over 1 / ``cells`` of the image, roughly normal, (size, size)."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    field = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(field, dtype=np.float32)


def soft(distance: NDArray[np.floating], width: float) -> Floats:
    """Return 1 inside (distance below 0), 0 outside, and a smooth change over about ``width``."""
    share: Floats = 1 / (1 + np.exp(np.clip(distance / (0.6 * width), -30, 30)))
    return share.astype(np.float32)
