"""Divide a data set: find the groups if they are unknown, then give each group or image a part."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from edge_infer.errors import DataRefused
from train.data.samples import Progress, Sample
from train.splits.copies import Copy
from train.splits.group_split import split_by_group
from train.splits.groups import components, grouped
from train.splits.sample_copies import copies_among
from train.splits.stratified_split import split_by_image

__all__ = ["Unit", "divide"]

#: What is never divided between parts.
Unit: TypeAlias = Literal["group", "image"]


def divide(
    samples: Sequence[Sample],
    *,
    fractions: tuple[float, float, float],
    seed: int,
    by: Unit = "group",
    keep_test: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[Sample]:
    """Give every sample a split, by default one that keeps patients and copies together.

    Samples from a manifest with both groups and splits keep them, unless ``by`` is "image" or
    ``keep_test`` is set. If every sample has a group, only the split is made. Otherwise copies and
    patients are looked for first.

    Args:
        samples: Images.
        fractions: Shares of train, val and test. With ``keep_test``, shares of the rest, and the
            third is 0.
        seed: See ``split_by_group`` and ``split_by_image``.
        by: Whether a group stays together, or each image is assigned by itself.
        keep_test: Keep the samples' own test part and divide the rest.
        cache: See ``copies_among``.
        progress: Called with (done, total) while copies are looked for.

    Raises:
        DataRefused: Images cannot be read, there are too few groups or images, or there is no
            test part to keep.
        CannotWrite: The cache cannot be written.
    """
    if keep_test and fractions[2]:
        raise ValueError(f"fractions are {fractions}, but the test part is kept: expected no share")
    if by == "group" and not keep_test and all(sample.group and sample.split for sample in samples):
        return list(samples)
    kept = [sample.split == "test" for sample in samples] if keep_test else [False] * len(samples)
    if keep_test and (all(kept) or not any(kept)):
        raise DataRefused(
            f"{sum(kept)} of {len(kept)} images are in the test part: cannot keep it and divide the rest",
            hint="leave out --keep-test to divide all of the data set",
        )
    copies: list[Copy] = []
    known = samples
    if not all(sample.group for sample in samples):
        copies = copies_among(samples, cache=cache, progress=progress)
        known = grouped(samples, copies)
    split = split_by_group if by == "group" else split_by_image
    rest = iter(
        split(
            [sample for sample, keep in zip(known, kept, strict=True) if not keep],
            fractions=fractions,
            seed=seed,
        )
    )
    divided = [sample if keep else next(rest) for sample, keep in zip(known, kept, strict=True)]
    return _copies_in_parts(samples, divided, copies) if copies else divided


def _copies_in_parts(
    samples: Iterable[Sample], divided: Sequence[Sample], copies: Iterable[Copy]
) -> list[Sample]:
    """Mark all but the first of each image's copies within a part, since copies may lie in several parts."""
    same_image = components(len(divided), ((copy.first, copy.second) for copy in copies))
    seen: set[tuple[int, str]] = set()
    marked = []
    for before, sample, image in zip(samples, divided, same_image, strict=True):
        is_copy = before.is_copy or (image, sample.split) in seen
        seen.add((image, sample.split))
        marked.append(replace(sample, is_copy=is_copy))
    return marked
