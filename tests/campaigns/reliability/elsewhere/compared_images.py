"""The images that runtimes are compared on: the project's own, real scans where there are some, and drawn ones."""

import functools
import os
from pathlib import Path

import numpy as np
from PIL import Image

from train.phantoms import phantom

__all__ = ["BATCH", "write_batch"]

#: Images of a batch.
BATCH = 20
_TOP = Path(__file__).parents[4]
_DATA = Path(os.environ.get("BRAIN_EDGE_DATA", _TOP.parent / "shared" / "data"))
_LABELS = ("glioma", "meningioma", "no_tumor", "pituitary")
_SIZES = ((64, 64), (200, 300), (400, 90), (333, 333))


def write_batch(number: int, folder: Path) -> list[Path]:
    """Write images as PNG files; batch 0 is the same everywhere, the others are of real scans where there are some.

    They hold the pixels that Pillow decodes: other decoders of JPEG differ in a few levels, which says nothing about
    the runtime.
    """
    if number == 0 or not _scans():
        images = [*map(_opened, _own()), *(_drawn(number, place) for place in range(BATCH))]
        images = images[:4] + images[-(BATCH - 4) :] if number == 0 else images[-BATCH:]
    else:
        found = _scans()
        images = [_opened(found[(number * BATCH + place) % len(found)]) for place in range(BATCH)]
    files = []
    for place, image in enumerate(images):
        files.append(folder / f"{place:02}.png")
        image.save(files[-1])
    return files


def _own() -> list[Path]:
    return sorted((_TOP / "examples").glob("*.jpg"))


@functools.cache
def _scans() -> list[Path]:
    """Real scans in an order in which each batch has some of each class."""
    found = sorted((_DATA / "brisc2025" / "classification_task").rglob("*.jpg"))
    order = np.random.default_rng(25).permutation(len(found))
    return [found[place] for place in order]


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L" if image.mode == "L" else "RGB")


def _drawn(number: int, place: int) -> Image.Image:
    """A phantom of some size, every second one tinted."""
    generator = np.random.default_rng([number, place])
    drawn = Image.fromarray(phantom(_LABELS[place % 4], generator)).resize(_SIZES[place % 4])
    if place % 2:
        return drawn
    tinted = np.asarray(drawn)[:, :, None] * generator.uniform(0.5, 1, 3)
    return Image.fromarray(tinted.astype(np.uint8))
