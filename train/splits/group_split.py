"""Divide a data set into train, val and test so that no patient and no image is in two parts."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge_infer.errors import DataRefused
from train.data.samples import SPLITS, Sample, Split, classes_of

__all__ = ["split_by_group"]


def split_by_group(
    samples: Sequence[Sample],
    *,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    seed: int,
) -> list[Sample]:
    """Give every sample a split; groups stay together, classes are spread evenly.

    Groups are assigned from the largest to the smallest, each to the part that lacks its classes
    most; the seed orders groups of equal size. The same input and seed give the same split.

    Args:
        samples: With groups (see ``train.splits.groups``); one without a group is its own group.
        fractions: Shares of train, val and test.
        seed: Of the order among groups of equal size.

    Raises:
        DataRefused: A part with a share above zero would stay empty.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions are {fractions}, expected three shares that add up to 1")
    members: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        members.setdefault(sample.group or f"\0{row}", []).append(row)
    groups = list(members.values())
    order = np.random.default_rng(seed).permutation(len(groups)).tolist()
    order.sort(key=lambda number: -len(groups[number]))  # stable: ties keep the seed's order

    labels = np.array([sample.label for sample in samples], dtype=np.intp)
    classes = len(classes_of(samples))
    shares = np.array(fractions)[:, None]
    wanted = shares * np.bincount(labels, minlength=classes)  # (splits, classes)
    given = np.zeros_like(wanted)
    split_of_row: list[Split] = [""] * len(samples)
    for number in order:
        counts = np.bincount(labels[groups[number]], minlength=classes)
        lack = (wanted - given) / np.maximum(wanted, 1e-9)
        score = np.where(shares[:, 0] > 0, lack @ counts, -np.inf)
        part = int(np.argmax(score))
        given[part] += counts
        for row in groups[number]:
            split_of_row[row] = SPLITS[part]
    empty = [
        name for part, name in enumerate(SPLITS) if fractions[part] > 0 and not given[part].any()
    ]
    if empty:
        raise DataRefused(
            f"{len(groups)} groups are too few to divide: nothing is left for {', '.join(empty)}",
            hint="a data set needs several groups for every part",
        )
    return [replace(sample, split=split_of_row[row]) for row, sample in enumerate(samples)]
