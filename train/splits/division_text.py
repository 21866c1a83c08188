"""The parts of a data set as text: images by class, groups and copies, and what leaks."""

from collections import Counter
from collections.abc import Sequence

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from train.data.samples import SPLITS, Sample, Split

__all__ = ["class_counts", "class_table", "division_text", "lacking_text", "sharing_text"]


def class_counts(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Count images by part and class; empty parts are left out, images without a part are ``undivided``."""
    counts = Counter((sample.split, sample.class_name) for sample in samples)
    present = {sample.split for sample in samples}
    return {
        part or "undivided": {name: counts[part, name] for name in LABELS}
        for part in (*SPLITS, "")
        if part in present
    }


def class_table(samples: Sequence[Sample]) -> str:
    """Render how many images of each class each part has."""
    counts = class_counts(samples)
    rows = {part: [*of_class.values(), sum(of_class.values())] for part, of_class in counts.items()}
    width, first = max(map(len, LABELS)), max(map(len, rows), default=0)
    lines = ["  ".join(f"{cell:>{width}}" for cell in (*LABELS, "all"))]
    lines += ["  ".join(f"{count:>{width}}" for count in row) for row in rows.values()]
    names = ["", *rows]
    return "".join(f"{name:{first}}  {line}\n" for name, line in zip(names, lines, strict=True))


def division_text(samples: Sequence[Sample]) -> str:
    """Render how many images of each class each part has, and how many groups and copies there are."""
    copies = sum(sample.is_copy for sample in samples)
    conflicts = sum(sample.label_conflict for sample in samples)
    groups = len({sample.group for sample in samples})
    return (
        f"{class_table(samples)}"
        f"{groups} groups; {copies} images are copies, {conflicts} have two labels\n"
        f"{RESEARCH_USE_ONLY}\n"
    )


def lacking_text(samples: Sequence[Sample]) -> str:
    """Name the classes without an image in a part, not counting label conflicts; empty if none is missing."""
    found = {(s.split, s.class_name) for s in samples if not s.label_conflict}
    parts = [part for part in SPLITS if any(sample.split == part for sample in samples)]
    lacking = {name: [part for part in parts if (part, name) not in found] for name in LABELS}
    return ", ".join(f"{name} in {' and '.join(of)}" for name, of in lacking.items() if of)


def sharing_text(samples: Sequence[Sample]) -> str:
    """Say how many images share a group with an earlier part; empty if none does."""
    sharing: Counter[Split] = Counter()
    earlier: set[str] = set()
    for part in SPLITS:
        groups = [sample.group for sample in samples if sample.split == part and sample.group]
        sharing[part] = sum(group in earlier for group in groups)
        earlier.update(groups)
    sizes = Counter(sample.split for sample in samples)
    return " and ".join(
        f"{count} of {sizes[part]} {part} images" for part, count in sharing.items() if count
    )
