"""Whether a split leaks: groups or copies in more than one part make every figure too good."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import DataRefused
from train.data.samples import SPLITS, Progress, Sample, Split
from train.splits.audit import audit

__all__ = ["Leaks", "find_leaks", "refuse_leaks"]

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """Groups and copies that are in more than one part.

    Attributes:
        groups: Names of the groups.
        copies: Names of the two images of each pair of copies.
        images: By part, number of its images that share a group or a copy with an earlier part
            (in the order train, val, test).
        of: By part, number of its images.
    """

    groups: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    images: dict[Split, int]
    of: dict[Split, int]

    def __bool__(self) -> bool:
        return bool(self.groups or self.copies)

    def __str__(self) -> str:
        parts = " and ".join(
            f"{count} of {self.of[part]} {part} images"
            for part, count in self.images.items()
            if count
        )
        return (
            f"{parts} share a patient, a group or a copy with an earlier part "
            f"({len(self.groups)} groups and {len(self.copies)} pairs of copies lie in two parts)"
        )


def find_leaks(
    samples: Sequence[Sample], *, cache: Path | None = None, progress: Progress | None = None
) -> Leaks:
    """Look for groups and copies in more than one part.

    Args:
        samples: With splits; those without one are left out.
        cache: Folder for thumbnails and pairs; see ``copies_among``.
        progress: Called with (done, total) while images are decoded.

    Raises:
        DataRefused: Images cannot be read.
        CannotWrite: The cache cannot be written.
    """
    divided = [sample for sample in samples if sample.split]
    if not divided:
        return Leaks(groups=(), copies=(), images={}, of={})
    report = audit(divided, cache=cache, progress=progress)
    # Of a group or pair in several parts, the images in the earliest part are the source of the leak.
    earliest: dict[str, int] = {}
    for sample in divided:
        rank = SPLITS.index(sample.split)
        earliest[sample.group] = min(earliest.get(sample.group, rank), rank)
    late = {
        row
        for row, sample in enumerate(divided)
        if sample.group and SPLITS.index(sample.split) > earliest[sample.group]
    }
    for copy in report.across:
        late.add(max(copy.first, copy.second, key=lambda row: SPLITS.index(divided[row].split)))
    return Leaks(
        groups=report.groups_across,
        copies=tuple(
            (divided[copy.first].name, divided[copy.second].name) for copy in report.across
        ),
        images={part: sum(divided[row].split == part for row in late) for part in SPLITS},
        of={part: sum(sample.split == part for sample in divided) for part in SPLITS},
    )


def refuse_leaks(leaks: Leaks) -> None:
    """Refuse a split that leaks.

    Raises:
        DataRefused: It leaks; the message says how much.
    """
    if not leaks:
        return
    examples = "".join(f"\n  {first} | {second}" for first, second in leaks.copies[:_SHOWN])
    raise DataRefused(
        f"the split leaks: {leaks}{examples}",
        hint="divide it again with brain-data split, or pass --allow-leaks and report it as leaking",
    )
