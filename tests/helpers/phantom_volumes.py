"""Volumes of phantoms with a manifest: data sets differ in brightness, slices of one volume only in the lesion."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.phantoms import phantom

__all__ = ["SQUARE", "reads_brightness", "sees_lesion", "write_phantom_volumes"]

SIZE = 64
#: Rows and columns of the lesion, in pixels of the image.
SQUARE = (slice(26, 38), slice(26, 38))
_BRIGHT, _DIM = 110.0, 45.0  # mean grey level of the two sequences
_COLUMNS = (
    *("source", "path", "mask", "label", "patient_id"),
    *("volume", "slice", "modality", "plane"),
)


def write_phantom_volumes(
    folder: Path, *, patients: int = 8, slices: int = 10, healthy: int = 4
) -> Path:
    """Write dim volumes of which a run of slices shows a lesion, bright healthy ones, and manifest.csv.

    Each slice is scaled to a mean grey level that is drawn without regard to the lesion.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inside = np.zeros((SIZE, SIZE), dtype=bool)
    inside[SQUARE] = True
    Image.fromarray(inside).save(folder / "mask.png")
    rows = []
    for number in range(patients + healthy):
        is_healthy = number >= patients
        rng = np.random.default_rng([7, number])
        first = int(rng.integers(slices // 2))
        for position in range(slices):
            has_lesion = not is_healthy and first <= position < first + slices // 2
            grey = phantom("no_tumor", rng, SIZE).astype(np.float64)
            if has_lesion:
                grey[SQUARE] += 0.8 * grey.mean() + 40
            mean = (_BRIGHT if is_healthy else _DIM) + rng.normal(0, 4)
            name = f"p{number}_z{position:02d}.png"
            scaled = np.clip(np.rint(grey * mean / grey.mean()), 0, 255).astype(np.uint8)
            Image.fromarray(scaled).save(folder / name)
            rows.append(
                {
                    "source": "healthy" if is_healthy else "mixed",
                    "path": name,
                    "mask": "mask.png" if has_lesion else "",
                    "label": "glioma" if has_lesion else "no_tumor",
                    "patient_id": f"p{number}",
                    "volume": f"p{number}_v",
                    "slice": position,
                    "modality": "T1" if is_healthy else "T1c",
                    "plane": "axial",
                }
            )
    _write(folder / "manifest.csv", rows)
    return folder / "manifest.csv"


def reads_brightness(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits of a model that looks at nothing but the mean grey level: dim is a glioma."""
    return _logits((_BRIGHT + _DIM) / 2 - grey.mean(axis=(1, 2)))


def sees_lesion(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits of a model that compares the place of the lesion with what surrounds it."""
    rows, columns = SQUARE
    around = (
        slice(None),
        slice(rows.start - 4, rows.stop + 4),
        slice(columns.start - 4, columns.stop + 4),
    )
    inside = grey[(slice(None), *SQUARE)].mean(axis=(1, 2))
    return _logits(inside / (grey[around].mean(axis=(1, 2)) + 1) - 1.15)


def _logits(tumour: NDArray[np.float64]) -> NDArray[np.float64]:
    logits = np.full((len(tumour), 4), -9.0)
    logits[:, 0], logits[:, 2] = tumour, 0
    return logits


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
