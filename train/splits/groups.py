"""Which images belong together: copies of one image, and images of one patient."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from train.data.samples import Sample
from train.splits.copies import Copy

__all__ = ["components", "grouped", "patient_in_name"]

# BIDS ("sub-01_T1w.png"), "patient_12_slice_3.png", TCGA barcodes. Other numbers in a name are as
# often slice or series numbers, so they are not used.
_PATIENT = re.compile(
    r"(?:^|[_\W])(sub-[a-z0-9]+|patient[-_ ]?\d+|tcga-[a-z0-9]{2}-[a-z0-9]{4})(?![a-z0-9])", re.I
)


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Find connected components; return for each row the smallest row of its component."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return [root(row) for row in range(count)]


def patient_in_name(name: str) -> str:
    """Find a patient's id in a file's name if it is marked as one; else empty."""
    match = _PATIENT.search(PurePosixPath(name).name)
    return match.group(1).lower() if match else ""


def grouped(samples: Sequence[Sample], copies: Iterable[Copy]) -> list[Sample]:
    """Set group, ``is_copy`` and ``label_conflict`` from copies, known groups and patients' ids.

    Args:
        samples: Images; a group they already have is kept together.
        copies: Pairs; their rows are indices into ``samples``.
    """
    pairs = [(copy.first, copy.second) for copy in copies]
    same_image = components(len(samples), pairs)
    labels: dict[int, set[int]] = {}
    for row, sample in enumerate(samples):
        labels.setdefault(same_image[row], set()).add(sample.label)
    together = components(len(samples), pairs + _kin(samples))
    return [
        replace(
            sample,
            group=f"g{together[row]:06d}",
            is_copy=sample.is_copy or same_image[row] != row,
            label_conflict=sample.label_conflict or len(labels[same_image[row]]) > 1,
        )
        for row, sample in enumerate(samples)
    ]


def _kin(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    """Pair each image with the first of its known group and of its patient."""
    first: dict[tuple[str, str], int] = {}
    pairs = []
    for row, sample in enumerate(samples):
        for sort, name in (("group", sample.group), ("patient", patient_in_name(sample.name))):
            if name:
                pairs.append((first.setdefault((sort, name), row), row))
    return pairs
