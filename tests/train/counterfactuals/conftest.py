"""Phantoms with a lesion, the same heads without it, and where the two differ."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from train.phantoms.head import draw_head, ellipse, new_canvas, paint
from train.phantoms.lesions import draw_lesion

SIZE = 96
_DIFFERENT = 12  # grey levels: what is fainter belongs to the soft rim


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One head twice; uint8 and bool, (H, W)."""

    scan: NDArray[np.uint8]
    healthy: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@pytest.fixture(scope="session")
def make_pair() -> Callable[[str, int], Pair]:
    """Draw an axial head with a lesion and without it, with the same noise.

    ``disc`` is a bright disc in one hemisphere; those of a class are larger, dark in parts, or on the midline.
    """

    def make(label: str, number: int) -> Pair:
        rng = np.random.default_rng([11, number])
        canvas = new_canvas(rng, SIZE, "axial")
        healthy = draw_head(rng, canvas)
        if label == "disc":
            x, y = rng.uniform(0.28, 0.4), rng.uniform(-0.3, 0.3)
            disc = ellipse(canvas, canvas.x - np.float32(x), canvas.y - np.float32(y), 0.1, 0.1)
            ill = paint(healthy, 235.0, disc)
        else:
            ill = draw_lesion(rng, canvas, healthy.copy(), label)
        noise = rng.normal(0, 2, healthy.shape)
        scan, without = (
            np.clip(np.rint(0.8 * grey + noise), 0, 255).astype(np.uint8) for grey in (ill, healthy)
        )
        return Pair(scan=scan, healthy=without, mask=np.abs(ill - healthy) > _DIFFERENT)

    return make
