"""Does a split leak? Groups or copies on two of its sides make every figure of it too good."""

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
    """What lies on two sides of a split.

    Attributes:
        groups: Names of the groups that do.
        copies: Names of the images of each pair of copies that does.
        images: By part, how many of its images share a group or a copy with an earlier part
            (train, then val, then test).
        of: By part, how many images it has.
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
            f"({len(self.groups)} groups and {len(self.copies)} pairs of copies lie on two sides)"
        )


def find_leaks(
    samples: Sequence[Sample], *, cache: Path | None = None, progress: Progress | None = None
) -> Leaks:
    """Look for groups and copies on two sides of a split.

    Args:
        samples: With splits; those without one are left out.
        cache: Where thumbnails and pairs are kept; see ``copies_among``.
        progress: Called with (done, total) while images are decoded.

    Raises:
        DataRefused: Images cannot be read.
        CannotWrite: The cache cannot be written.
    """
    divided = [sample for sample in samples if sample.split]
    if not divided:
        return Leaks(groups=(), copies=(), images={}, of={})
    report = audit(divided, cache=cache, progress=progress)
    # Of a group or pair on several sides, the one in the earliest part is the source of the leak.
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
    """Stop where a split leaks.

    Raises:
        DataRefused: It does; the message says how much.
    """
    if not leaks:
        return
    examples = "".join(f"\n  {first} | {second}" for first, second in leaks.copies[:_SHOWN])
    raise DataRefused(
        f"the split leaks: {leaks}{examples}",
        hint="divide it anew with brain-data split, or pass --allow-leaks and report it as leaking",
    )
