"""Divide a data set image by image, evenly over the classes, as most published works do."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sklearn.model_selection import train_test_split

from edge_infer.errors import DataRefused
from train.data.samples import Sample, Split

__all__ = ["split_by_image"]


def split_by_image(
    samples: Sequence[Sample], *, fractions: tuple[float, float, float], seed: int
) -> list[Sample]:
    """Give every sample a split at random, each class in the same shares.

    Copies and images of one patient end up in several parts. Use it only to compare with works
    that split this way, and ``split_by_group`` for everything else. The parts are those of
    scikit-learn's ``train_test_split(..., test_size=share, stratify=labels, random_state=seed)``:
    first the test part is taken out, then the val part.

    Args:
        samples: In a stable order: the parts depend on it as well as on the seed.
        fractions: Shares of train, val and test; a share of zero stays empty.
        seed: For scikit-learn.

    Raises:
        DataRefused: A class has too few images for the parts.
    """
    _, val, test = fractions
    split_of_row: list[Split] = ["train"] * len(samples)
    rest = list(range(len(samples)))
    taken: tuple[tuple[Split, float], ...] = (("test", test), ("val", val))
    for part, share in taken:
        if share == 0:
            continue
        try:
            rest, rows = train_test_split(
                rest,
                test_size=math.ceil(share * len(samples)),  # rounded up, as scikit-learn does
                stratify=[samples[row].label for row in rest],
                random_state=seed,
            )
        except ValueError as error:
            raise DataRefused(
                f"{len(samples)} images cannot be divided by class ({error})",
                hint="every class needs an image in every part: give larger shares or more images",
            ) from error
        for row in rows:
            split_of_row[row] = part
    return [replace(sample, split=split_of_row[row]) for row, sample in enumerate(samples)]
