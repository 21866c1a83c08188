"""Choose the images to use: by split, without label conflicts, with or without copies."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge_infer.errors import DataRefused
from train.data.samples import Sample, classes_of
from train.splits.audit import audit
from train.splits.groups import components
from train.splits.sample_copies import copies_among

__all__ = ["apart_from", "copy_groups", "part_rows", "rows_without_copies"]


def part_rows(
    samples: Sequence[Sample],
    split: str,
    *,
    one_of_each_copy: bool = False,
    all_classes: bool = True,
) -> list[int]:
    """Return the indices of one part, without label conflicts.

    Args:
        samples: All of the data set.
        split: ``train``, ``val`` or ``test``.
        one_of_each_copy: Leave out further copies of an image.
        all_classes: Whether every class must occur, as training needs.

    Raises:
        DataRefused: A class is missing.
    """
    rows = [
        index
        for index, sample in enumerate(samples)
        if sample.split == split
        and not sample.label_conflict
        and not (one_of_each_copy and sample.is_copy)
    ]
    names = classes_of(samples).names
    missing = sorted(set(names) - {samples[index].class_name for index in rows})
    if all_classes and missing:
        raise DataRefused(
            f"the {split} part has no image of {', '.join(missing)}",
            hint=_how_to_mend(samples, missing),
        )
    return rows


def _how_to_mend(samples: Sequence[Sample], missing: Sequence[str]) -> str:
    names = classes_of(samples).names
    counts = Counter(sample.class_name for sample in samples if not sample.label_conflict)
    nowhere = [name for name in missing if not counts[name]]
    if nowhere:
        return (
            f"the data set has none; train and val need images of all {len(names)} classes: "
            f"{', '.join(names)}"
        )
    if not all(part in {sample.split for sample in samples} for part in ("train", "val")):
        return "brain-data split writes a manifest with all parts; pass it with --manifest"
    few = ", ".join(f"{counts[name]} of {name}" for name in missing)
    return (
        f"train and val need images of all {len(names)} classes, and the data set has {few}, which stay together "
        "if they are copies or of one patient: add some, or divide it with another --seed or --val of brain-data split"
    )


def copy_groups(samples: Sequence[Sample], rows: Sequence[int], cache: Path) -> list[int]:
    """Return a number for each row, the same for rows that are copies of one image.

    Args:
        samples: All of the data set.
        rows: Indices of some of them; copies are looked for in all of the data set.
        cache: Folder for thumbnails and pairs.
    """
    pairs = [(copy.first, copy.second) for copy in copies_among(samples, cache=cache)]
    groups = components(len(samples), pairs)
    return [groups[row] for row in rows]


def rows_without_copies(
    samples: Sequence[Sample], rows: Sequence[int], cache: Path, *, byte_copies_only: bool
) -> list[int]:
    """Leave out the images that have a copy in the train part.

    Args:
        samples: All of the data set.
        rows: Indices of images.
        cache: Folder for thumbnails and pairs.
        byte_copies_only: Count only copies with the same bytes, not re-encoded, mirrored or turned ones.
    """
    report = audit(samples, cache=cache)
    copied: set[int] = set()
    for pair in report.across:
        if byte_copies_only and pair.kind != "bytes":
            continue
        splits = {samples[pair.first].split: pair.first, samples[pair.second].split: pair.second}
        if "train" in splits:
            copied |= set(splits.values()) - {splits["train"]}
    return [row for row in rows if row not in copied]


def apart_from(samples: Sequence[Sample], others: Sequence[Sample], cache: Path) -> list[Sample]:
    """Leave out training images that are copies of another data set's test images.

    Args:
        samples: The data set to train on.
        others: The other data set. Its test images with a copy in its own train part do not count: they test nothing.
        cache: Folder for thumbnails and pairs.

    Returns:
        The samples, without train and val images that are copies of such an image, directly or through other copies.
    """
    tests = part_rows(others, "test", all_classes=False)
    fair = rows_without_copies(others, tests, cache, byte_copies_only=False)
    joined = [*samples, *(others[row] for row in fair)]
    copies = copies_among(joined, cache=cache)
    groups = components(len(joined), [(copy.first, copy.second) for copy in copies])
    leaking = set(groups[len(samples) :])
    return [
        sample
        for sample, group in zip(samples, groups[: len(samples)], strict=True)
        if sample.split == "test" or group not in leaking
    ]
