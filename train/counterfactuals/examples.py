"""Counterfactual images to look at: random scans of the train part, at a larger size than they are trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import DataRefused, InputError
from edge_infer.image_file import read_image
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.counterfactuals.seams import Mask
from train.counterfactuals.twins import Twin, harmless, pasted, removed
from train.data.problems import refuse
from train.data.samples import Progress, Sample, classes_of
from train.data.tumour_masks import mask_file, resize_mask
from train.metrics.missed import needs_negative

__all__ = ["TwinExample", "draw_examples"]

# Most images of BRISC 2025 are of this size; others are stretched to it, as for training.
_SIZE = PreprocessorConfig(height=512, width=512)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinExample:
    """A scan with a tumour and a healthy head, with all their twins.

    Attributes:
        tumour: The scan with a tumour.
        tumour_image: uint8, (H, W).
        mask: Its tumour, bool, (H, W).
        removed: It without the tumour, or None if nothing fits.
        harmless: It with another place covered, or None.
        healthy: The healthy head.
        healthy_image: uint8, (H, W).
        pasted: It with the scan's tumour, or None.
    """

    tumour: Sample
    tumour_image: NDArray[np.uint8] = field(repr=False)
    mask: Mask = field(repr=False)
    removed: Twin | None = field(repr=False)
    harmless: Twin | None = field(repr=False)
    healthy: Sample
    healthy_image: NDArray[np.uint8] = field(repr=False)
    pasted: Twin | None = field(repr=False)


def draw_examples(
    samples: Sequence[Sample], *, count: int, seed: int, progress: Progress | None = None
) -> list[TwinExample]:
    """Choose scans with a known tumour and healthy heads at random, and make their counterfactual images.

    They are those of the train part if the data set is divided, without known copies and label conflicts.

    Args:
        samples: All parts.
        count: How many; fewer if there are fewer scans of either kind. Classes of tumours come in turn.
        seed: Of the choice.
        progress: Called with (done, total).

    Raises:
        DataRefused: There is no scan with a tumour mask, or no healthy head, or files cannot be read; all are named.
    """
    generator = np.random.default_rng(seed)
    tumours, healthy = _chosen(samples, count, generator)
    read = _read([*tumours, *healthy])
    examples = []
    for number in range(len(tumours)):
        (image, mask), (head, _) = read[number], read[len(tumours) + number]
        _, other = read[(number + 1) % len(tumours)]
        examples.append(
            TwinExample(
                tumour=tumours[number],
                tumour_image=image,
                mask=mask,
                removed=removed(image, mask),
                harmless=harmless(image, mask, other, generator),
                healthy=healthy[number],
                healthy_image=head,
                pasted=pasted(head, image, mask),
            )
        )
        if progress is not None:
            progress(number + 1, len(tumours))
    return examples


def _chosen(
    samples: Sequence[Sample], count: int, generator: np.random.Generator
) -> tuple[list[Sample], list[Sample]]:
    """Draw equally many scans with a tumour and healthy heads."""
    classes = classes_of(samples)
    negative = needs_negative(classes, "a counterfactual image")
    divided = any(sample.split == "train" for sample in samples)
    usable = [
        sample
        for sample in samples
        if not (sample.is_copy or sample.label_conflict)
        and (sample.split == "train" or not divided)
    ]
    shuffled = [usable[place] for place in generator.permutation(len(usable))]
    healthy = [sample for sample in shuffled if sample.label == negative]
    kinds = [
        [x for x in shuffled if x.label == label and mask_file(x) is not None]
        for label in range(len(classes))
        if label != negative
    ]
    tumours = [kind[place] for place in range(count) for kind in kinds if place < len(kind)]
    count = min(count, len(tumours), len(healthy))
    if not count:
        lacking = "healthy head" if tumours else "scan with a tumour mask"
        raise DataRefused(
            f"the train part has no {lacking}" if divided else f"the data set has no {lacking}",
            hint="use a data set of both, with masks, such as BRISC 2025 (docs/data.md)",
        )
    return tumours[:count], healthy[:count]


def _read(samples: Sequence[Sample]) -> list[tuple[NDArray[np.uint8], Mask]]:
    """Return each image and its mask, empty if it has none."""
    read: list[tuple[NDArray[np.uint8], Mask]] = []
    problems: list[str] = []
    for sample in samples:
        try:
            image, file = read_image(sample.source), mask_file(sample)
            mask = Image.new("L", image.size) if file is None else read_image(file)
            if mask.size != image.size:
                raise DataRefused(
                    f"its mask is {mask.width} x {mask.height}, but it is {image.width} x {image.height}"
                )
            read.append((resize_grey(image, _SIZE), resize_mask(mask, _SIZE) > 0))
        except InputError as error:
            problems.append(f"{sample.name}: {error.code} ({error.message})")
    refuse(problems, what="images or masks cannot be used", hint="correct, rename or remove them")
    return read
