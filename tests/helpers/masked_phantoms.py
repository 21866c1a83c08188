"""A data set in BRISC's layout: phantoms with a bright square for a tumour, and its mask."""

from pathlib import Path

import numpy as np
from PIL import Image

from edge_infer.contract import LABELS
from train.data.layouts import load_samples
from train.data.samples import Sample
from train.phantoms import phantom

__all__ = ["SQUARE", "write_masked_phantoms"]

SIZE = 64
#: Rows and columns of the tumour, in pixels of the image.
SQUARE = (slice(20, 34), slice(40, 56))
_PLANES = ("ax", "co", "sa")


def write_masked_phantoms(folder: Path, *, each: int = 4) -> list[Sample]:
    """Write ``each`` images a class and part; no_tumor has neither square nor mask."""
    number = 0
    for part in ("train", "test"):
        masks = folder / "segmentation_task" / part / "masks"
        masks.mkdir(parents=True)
        for label in LABELS:
            images = folder / "classification_task" / part / label
            images.mkdir(parents=True)
            for index in range(each):
                number += 1
                stem = f"brisc2025_{part}_{number:05d}_{label[:2]}_{_PLANES[index % 3]}_t1"
                grey = phantom("no_tumor", np.random.default_rng(number), SIZE)
                if label != "no_tumor":
                    inside = np.zeros((SIZE, SIZE), dtype=bool)
                    inside[SQUARE] = True
                    grey = np.where(inside, np.uint8(255), grey // 2)
                    Image.fromarray(inside).save(masks / f"{stem}.png")
                Image.fromarray(grey).save(images / f"{stem}.png")
    return load_samples(folder)
