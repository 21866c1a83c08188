"""A data set in plots: the number of images of each class, some of them, and their mean."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import CannotWrite, InputError
from edge_infer.image_file import read_image
from edge_infer.names import shown_name
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.data.problems import refuse
from train.data.samples import Progress, Sample, classes_of
from train.plots import plot_class_counts
from train.plots.dataset import plot_images, plot_means
from train.splits.division_text import class_counts

__all__ = ["show"]

_LONGEST_SIDE = 256
_MEAN = PreprocessorConfig(height=128, width=128)


def show(
    samples: Sequence[Sample],
    folder: Path,
    *,
    name: str,
    per_class: int = 6,
    seed: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw class counts, images of each class and the mean image of each class.

    Images and means are those of the train part if the data set is divided, without known copies
    and label conflicts: nothing should be learned from looking at a test part.

    Args:
        samples: All parts; every image is decoded.
        folder: Gets classes.png, images.png and means.png; created if missing.
        name: Name of the data set, for the titles.
        per_class: Number of images of each class.
        seed: Of a random draw; None to take the first ones.
        progress: Called with (done, total) while images are decoded.

    Returns:
        The files written.

    Raises:
        DataRefused: Images cannot be read; all are named, and nothing is written.
        CannotWrite: The folder or a file cannot be written.
    """
    divided = any(sample.split == "train" for sample in samples)
    looked_at = [
        row
        for row, sample in enumerate(samples)
        if not (sample.is_copy or sample.label_conflict)
        and (sample.split == "train" or not divided)
    ]
    chosen = _choose(samples, looked_at, per_class, seed)
    images, means = _decode(samples, set(looked_at), chosen, progress)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: cannot be created ({error.strerror})",
            hint="name another output",
        ) from error
    what = f"{name}, train part" if divided else name
    which = "first images" if seed is None else f"images drawn with seed {seed}"
    files = [folder / "classes.png", folder / "images.png", folder / "means.png"]
    plot_class_counts(class_counts(samples), f"{name}: images of each class", files[0])
    rows = [
        [(Path(samples[row].name).name, images[row]) for row in of_class] for of_class in chosen
    ]
    names = classes_of(samples).names
    plot_images(rows, names, f"{what}: {which}", files[1])
    counts = np.bincount([samples[row].label for row in looked_at], minlength=len(names))
    plot_means(
        means, counts.tolist(), names, f"{what}: mean image, stretched to a square", files[2]
    )
    return files


def _choose(
    samples: Sequence[Sample], rows: Sequence[int], per_class: int, seed: int | None
) -> list[list[int]]:
    """Choose rows of each class, the first or random ones, in the order of the data set."""
    chosen = []
    generator = None if seed is None else np.random.default_rng(seed)
    for label in range(len(classes_of(samples))):
        of_class = [row for row in rows if samples[row].label == label]
        if generator is not None:
            of_class = sorted(generator.permutation(of_class)[:per_class].tolist())
        chosen.append(of_class[:per_class])
    return chosen


def _decode(
    samples: Sequence[Sample],
    looked_at: set[int],
    chosen: Sequence[Sequence[int]],
    progress: Progress | None,
) -> tuple[dict[int, Image.Image], NDArray[np.float64]]:
    """Decode every image once; return the chosen ones by row, and the mean of each class."""
    wanted = {row for of_class in chosen for row in of_class}
    images: dict[int, Image.Image] = {}
    classes = len(classes_of(samples))
    sums = np.zeros((classes, _MEAN.height, _MEAN.width))
    counts = np.zeros(classes)
    unreadable: list[str] = []
    for row, sample in enumerate(samples):
        try:
            image = read_image(sample.source)
        except InputError as error:
            unreadable.append(f"{sample.name}: {error.code} ({error.message})")
            continue
        if row in looked_at:
            sums[sample.label] += resize_grey(image, _MEAN)
            counts[sample.label] += 1
        if row in wanted:
            image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
            images[row] = image
        if progress is not None:
            progress(row + 1, len(samples))
    refuse(unreadable, what="images cannot be read", hint="correct, rename or remove them")
    return images, sums / np.maximum(counts, 1)[:, None, None]
