"""k splits of a data set with each image in exactly one test part, to see how accuracy depends on the split."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from edge_infer.errors import DataRefused
from train.data.samples import Progress, Sample
from train.splits.group_split import split_by_group
from train.splits.groups import grouped
from train.splits.sample_copies import copies_among

__all__ = ["folds_by_group"]


def folds_by_group(
    samples: Sequence[Sample],
    *,
    folds: int,
    val: float,
    seed: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[list[Sample]]:
    """Divide a data set ``folds`` times; groups stay together, classes are spread evenly.

    The test parts are those of scikit-learn's ``StratifiedGroupKFold``; of the rest of each fold,
    ``split_by_group`` takes out the val part.

    Args:
        samples: Their own split is ignored. If groups are missing, copies and patients are looked
            for, as in ``train.splits.division``.
        folds: Number of folds, at least 2.
        val: Share of the images outside the test part.
        seed: Of the assignment of groups.
        cache: See ``copies_among``.
        progress: Called with (done, total) while copies are looked for.

    Raises:
        DataRefused: There are too few groups.
    """
    known = list(samples)
    if not all(sample.group for sample in samples):
        known = grouped(samples, copies_among(samples, cache=cache, progress=progress))
    labels = [sample.label for sample in known]
    groups = [sample.group for sample in known]
    pairs = set(zip(labels, groups, strict=True))
    least = min(sum(its == label for its, _ in pairs) for label in set(labels))
    if least < folds:
        raise DataRefused(
            f"a class has {least} groups, expected at least one for each of {folds} folds",
            hint="ask for fewer folds",
        )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    divided = []
    for _, test in splitter.split(np.zeros(len(known)), labels, groups):
        is_test = np.isin(np.arange(len(known)), test)
        rest = [sample for sample, its in zip(known, is_test, strict=True) if not its]
        learnt = iter(split_by_group(rest, fractions=(1 - val, val, 0.0), seed=seed))
        divided.append(
            [
                replace(sample, split="test") if its else next(learnt)
                for sample, its in zip(known, is_test, strict=True)
            ]
        )
    return divided
