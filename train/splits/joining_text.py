"""What was joined, as text: the parts of each data set and its licence, and what was left out."""

from collections import Counter
from collections.abc import Sequence

from edge_infer.contract import LABELS
from edge_infer.names import counted
from train.data.samples import SPLITS, Sample
from train.data.source_rows import Sources

__all__ = ["sources_text", "unknown_text", "validation_text"]


def sources_text(sources: Sources, joined: Sequence[Sample]) -> str:
    """Render how many images each data set gives to each part, and its licence: who ships weights names them."""
    parts: dict[str, Counter[str]] = {}
    licences: dict[str, set[str]] = {}
    for row, sample in zip(sources.rows, joined, strict=True):
        parts.setdefault(sample.dataset, Counter())[sample.split] += 1
        licences.setdefault(sample.dataset, set()).add(row.licence or "not stated in its manifest")
    return "".join(
        f"{name or 'without a name'}: {', '.join(f'{of[part]} {part}' for part in SPLITS)}; "
        f"licence: {' and '.join(sorted(licences[name]))}\n"
        for name, of in parts.items()
    )


def unknown_text(sources: Sources) -> str:
    """Say how many images of which other classes were left out; empty if none was."""
    if not sources.unknown:
        return ""
    which = ", ".join(
        f"{count} {label} of {dataset or 'a data set without a name'}"
        for (dataset, label), count in sorted(sources.unknown.items())
    )
    total = sum(sources.unknown.values())
    return f"left out: {counted(total, 'image')} of classes other than {', '.join(LABELS)}: {which}"


def validation_text(sources: Sources) -> str:
    """Say which images are in the test part because they may not be trained on; empty if none is."""
    only = Counter(row.sample.dataset for row in sources.rows if row.validate_only)
    if not only:
        return ""
    which = ", ".join(
        f"{counted(count, 'image')} of {name or 'a data set without a name'}"
        for name, count in only.items()
    )
    return (
        f"in the test part, since they may not be trained on: {which}; brain-train folds divides them too: "
        "leave them out for it"
    )
