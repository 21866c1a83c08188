"""Facts about the data set: how many images of each class and part, and whether its split leaks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from train.data.manifest_csv import manifest_hash
from train.data.samples import SPLITS, Progress, Sample, classes_of
from train.splits.leaks import Leaks, find_leaks
from train.splits.sample_rows import part_rows

__all__ = ["NO_PART", "DataFacts", "data_facts"]

#: Images that belong to no part.
NO_PART = "no part"

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """Facts about a data set.

    Attributes:
        name: Name of the data set.
        sha256: ``manifest_hash``; a run with the same hash was trained on this same split.
        samples: The images.
        images: Number of images by part and class.
        counted: Number of them that figures count: one of each copy, without label conflicts.
        groups: Number of known patients and copy groups by part.
        label_conflicts: Images left out because a copy of them has another label.
        copies: Images that are further copies of another.
        leaks: Groups and copies in more than one part.
    """

    name: str
    sha256: str
    samples: Sequence[Sample] = field(repr=False)
    images: Counts
    counted: Counts
    groups: Mapping[str, int]
    label_conflicts: int
    copies: int
    leaks: Leaks


def data_facts(
    name: str, samples: Sequence[Sample], cache: Path, progress: Progress | None = None
) -> DataFacts:
    """Count images and look for leaks.

    Args:
        name: Name of the data set.
        samples: Its images.
        cache: Where decoded images are kept.
        progress: Called with (done, total) while images are decoded.

    Raises:
        DataRefused: Images cannot be read.
        CannotWrite: The cache cannot be written.
    """
    names = classes_of(samples).names
    parts = [part for part in (*SPLITS, "") if any(sample.split == part for sample in samples)]
    return DataFacts(
        name=name,
        sha256=manifest_hash(samples),
        samples=samples,
        images={
            part or NO_PART: _by_class(
                names, (sample for sample in samples if sample.split == part)
            )
            for part in parts
        },
        counted={
            part or NO_PART: _by_class(
                names,
                (
                    samples[row]
                    for row in part_rows(samples, part, one_of_each_copy=True, all_classes=False)
                ),
            )
            for part in parts
        },
        groups={
            part or NO_PART: len({s.group for s in samples if s.split == part and s.group})
            for part in parts
        },
        label_conflicts=sum(sample.label_conflict for sample in samples),
        copies=sum(sample.is_copy for sample in samples),
        leaks=find_leaks(samples, cache=cache, progress=progress),
    )


def _by_class(names: Sequence[str], samples: Iterable[Sample]) -> dict[str, int]:
    counts = Counter(sample.class_name for sample in samples)
    return {name: counts[name] for name in names}
