"""The parts of a data set as text: images by class, groups and copies, and what leaks."""

from collections import Counter
from collections.abc import Mapping, Sequence

from edge_infer.contract import RESEARCH_USE_ONLY
from train.data.samples import SPLITS, Sample, Split, classes_of

__all__ = ["class_counts", "class_table", "division_text", "lacking_text", "sharing_text"]

#: Classes that fit beside each other on a terminal.
_COLUMNS = 7


def class_counts(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Count images by part and class; empty parts are left out, images without a part are ``undivided``."""
    names = classes_of(samples).names
    counts = Counter((sample.split, sample.class_name) for sample in samples)
    present = {sample.split for sample in samples}
    return {
        part or "undivided": {name: counts[part, name] for name in names}
        for part in (*SPLITS, "")
        if part in present
    }


def class_table(samples: Sequence[Sample]) -> str:
    """Render how many images of each class each part has."""
    counts, names = class_counts(samples), classes_of(samples).names
    if len(names) > _COLUMNS:
        return _tall_table(counts, names)
    rows = {part: [*of_class.values(), sum(of_class.values())] for part, of_class in counts.items()}
    width, first = max(map(len, names)), max(map(len, rows), default=0)
    lines = ["  ".join(f"{cell:>{width}}" for cell in (*names, "all"))]
    lines += ["  ".join(f"{count:>{width}}" for count in row) for row in rows.values()]
    heads = ["", *rows]
    return "".join(f"{head:{first}}  {line}\n" for head, line in zip(heads, lines, strict=True))


def _tall_table(counts: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> str:
    """Render many classes below each other, each part in a column."""
    rows = [["", *counts]]
    rows += [[name, *(str(of_class[name]) for of_class in counts.values())] for name in names]
    rows.append(["all", *(str(sum(of_class.values())) for of_class in counts.values())])
    first = max(len(head) for head, *_ in rows)
    return "".join(
        f"{head:{first}}{''.join(f'  {cell:>9}' for cell in cells)}\n" for head, *cells in rows
    )


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
    lacking = {
        name: [part for part in parts if (part, name) not in found]
        for name in classes_of(samples).names
    }
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
