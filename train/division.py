"""A data set divided anew: groups known or found, then one side for each."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from train.groups import grouped
from train.sample_copies import copies_among
from train.samples import SPLITS, Progress, Sample
from train.split import split_by_group

__all__ = ["divide", "division_text"]


def divide(
    samples: Sequence[Sample],
    *,
    fractions: tuple[float, float, float],
    seed: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[Sample]:
    """Give every sample a split that keeps patients and copies on one side.

    Samples from a manifest that has both groups and splits keep them. Where every sample has a
    group, only the split is made. Otherwise copies and patients are looked for first.

    Args:
        samples: Pictures.
        fractions: Shares of train, val and test.
        seed: See ``split_by_group``.
        cache: See ``copies_among``.
        progress: Called with (done, total) while copies are looked for.

    Raises:
        DataRefused: Pictures cannot be read, or there are too few groups.
        CannotWrite: The cache cannot be written.
    """
    if all(sample.group and sample.split for sample in samples):
        return list(samples)
    if not all(sample.group for sample in samples):
        copies = copies_among(samples, cache=cache, progress=progress)
        samples = grouped(samples, copies)
    return split_by_group(samples, fractions=fractions, seed=seed)


def division_text(samples: Sequence[Sample]) -> str:
    """Tell how many pictures of each class each part has."""
    counts = Counter((sample.split, sample.label) for sample in samples)
    width = max(len(name) for name in LABELS)
    lines = [f"{'':5}  " + "  ".join(f"{name:>{width}}" for name in (*LABELS, "all"))]
    for part in SPLITS:
        row = [counts[part, label] for label in range(len(LABELS))]
        cells = "  ".join(f"{count:>{width}}" for count in (*row, sum(row)))
        lines.append(f"{part:5}  {cells}")
    copies = sum(sample.is_copy for sample in samples)
    conflicts = sum(sample.label_conflict for sample in samples)
    groups = len({sample.group for sample in samples})
    lines.append(f"{groups} groups; {copies} pictures are copies, {conflicts} carry two labels")
    lines.append(RESEARCH_USE_ONLY)
    return "\n".join(lines) + "\n"
