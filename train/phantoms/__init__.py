"""Synthetic scans, for tests, first steps and INT8 calibration without data. Not medical."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.atomic import replace_folder_atomically
from edge_infer.classes import BRAIN, Classes
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name
from train.data.manifest_csv import write_manifest
from train.data.samples import SPLITS, Progress, Sample, Split
from train.phantoms.head import Floats, Plane, draw_head, new_canvas, smooth_noise
from train.phantoms.lesions import draw_lesion
from train.phantoms.shapes import EMPTY, SHAPES, draw_shape

__all__ = ["Kind", "phantom", "write_phantoms"]

#: What is drawn: heads of the four brain classes, or heads with a disk, a ring or nothing in them.
Kind: TypeAlias = Literal["brain", "shapes"]

_PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
_CLASSES: dict[Kind, Classes] = {"brain": BRAIN, "shapes": Classes(SHAPES, EMPTY)}
_README = f"""Synthetic phantoms drawn by brain-data phantoms.

They show no person and no real disease. They are for trying out and testing software: figures
measured on them say nothing about real scans.
{RESEARCH_USE_ONLY}
"""


def phantom(label: str, rng: np.random.Generator, size: int = 256) -> NDArray[np.uint8]:
    """Draw one head with the lesion of a class, or with a shape.

    Plane, pose, contrast, noise and uneven illumination have the same distribution in all classes,
    so only the lesion, or the shape, distinguishes them.

    Args:
        label: Of the four brain classes, or of ``train.phantoms.shapes``.
        rng: Source of all randomness.
        size: Side in pixels, at least 32.

    Returns:
        uint8, (size, size).
    """
    if label not in (*LABELS, *SHAPES):
        raise ValueError(f"label is {label!r}, expected one of {', '.join((*LABELS, *SHAPES))}")
    if size < 32:
        raise ValueError(f"size is {size}, expected at least 32")
    canvas = new_canvas(rng, size, _PLANES[int(rng.integers(len(_PLANES)))])
    draw = draw_shape if label in SHAPES else draw_lesion
    grey = draw(rng, canvas, draw_head(rng, canvas), label)
    return _scanned(rng, grey)


def _scanned(rng: np.random.Generator, grey: Floats) -> NDArray[np.uint8]:
    """Add what a scanner and an export add: uneven coil, contrast, Rician noise."""
    size = len(grey)
    coil = 1 + 0.13 * smooth_noise(rng, size, 3)
    signal = 255 * np.clip(grey * coil / 255, 0, None) ** rng.uniform(0.8, 1.25)
    signal *= rng.uniform(0.6, 1.0)
    sigma = rng.uniform(1.5, 6.0)
    real, imaginary = rng.normal(0, sigma, (2, size, size))
    measured = np.hypot(signal + real, imaginary)  # magnitude images carry Rician noise
    pixels: NDArray[np.uint8] = np.clip(np.rint(measured), 0, 255).astype(np.uint8)
    return pixels


def write_phantoms(
    folder: Path,
    *,
    kind: Kind = "brain",
    per_class: int,
    seed: int,
    size: int = 256,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    progress: Progress | None = None,
) -> list[Sample]:
    """Write a synthetic data set: ``SPLIT/CLASS/phantom_SEED_N.png``, manifest.csv, README.txt.

    The same arguments give the same pixels. Each phantom is its own group.

    Args:
        folder: New or empty.
        kind: What is drawn.
        per_class: Images of each class, at least 3: one a part.
        seed: Fixes all randomness.
        size: Side in pixels.
        fractions: Shares of train, val and test; every part gets at least one.
        progress: Called with (done, total) as images are written.

    Raises:
        CannotWrite: The folder is not empty, or cannot be written.
    """
    if per_class < len(SPLITS):
        raise ValueError(f"per_class is {per_class}, expected at least {len(SPLITS)}")
    _refuse_full(folder)
    with replace_folder_atomically(folder) as temporary:
        samples = list(_write_images(temporary, kind, per_class, seed, size, fractions, progress))
        official = {sample.name: sample.split for sample in samples}
        write_manifest(temporary / "manifest.csv", samples, official=official)
        (temporary / "README.txt").write_text(_README, encoding="utf-8")
    return [replace(sample, source=folder / sample.name) for sample in samples]


def _refuse_full(folder: Path) -> None:
    try:
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: cannot be read ({error.strerror})",
            hint="name another folder",
        ) from error
    if is_taken:
        raise CannotWrite(f"{shown_name(folder)}: is not empty", hint="name a new folder")


def _write_images(
    folder: Path,
    kind: Kind,
    per_class: int,
    seed: int,
    size: int,
    fractions: tuple[float, float, float],
    progress: Progress | None,
) -> Iterator[Sample]:
    parts, classes = _parts(per_class, fractions), _CLASSES[kind]
    for number in range(per_class * len(classes)):
        label = number % len(classes)
        split = parts[number // len(classes)]
        name = f"{split}/{classes.names[label]}/phantom_{seed}_{number}.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = phantom(classes.names[label], np.random.default_rng([seed, number]), size)
        Image.fromarray(pixels).save(path, format="PNG")
        yield Sample(
            source=path,
            name=name,
            label=label,
            classes=classes,
            split=split,
            group=f"phantom_{seed}_{number}",
            dataset="phantoms" if kind == "brain" else kind,
            original_size=(size, size),
            original_mode="L",
        )
        if progress is not None:
            progress(number + 1, per_class * len(classes))


def _parts(count: int, fractions: tuple[float, float, float]) -> list[Split]:
    """Deal out the images of one class: shares rounded, but at least one for each part."""
    test = min(max(1, round(count * fractions[2])), count - 2)
    val = min(max(1, round(count * fractions[1])), count - 1 - test)
    dealt: dict[Split, int] = {"train": count - val - test, "val": val, "test": test}
    return [part for part, size in dealt.items() for _ in range(size)]
