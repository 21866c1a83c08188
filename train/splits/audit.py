"""What leaks in a data set: copies in different parts, and copies with different labels."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from train.data.samples import SPLITS, Progress, Sample, Split
from train.splits.copies import COPY_KINDS, THRESHOLD, Copy, CopyKind
from train.splits.groups import components
from train.splits.sample_copies import copies_among

__all__ = ["AuditReport", "audit"]

_COLUMNS = ("a", "b", "kind", "score", "split_a", "split_b", "label_a", "label_b")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The copies among samples, and the counts that follow.

    Attributes:
        samples: The images; ``copies`` refers to their order.
        copies: All pairs, sorted.
    """

    samples: tuple[Sample, ...]
    copies: tuple[Copy, ...]

    @property
    def distinct(self) -> int:
        """Number of images, counting copies once."""
        return len(set(components(len(self.samples), self._pairs())))

    @property
    def across(self) -> tuple[Copy, ...]:
        """Copies in different parts."""
        return tuple(
            copy
            for copy in self.copies
            if self.samples[copy.first].split != self.samples[copy.second].split
        )

    @property
    def conflicts(self) -> tuple[Copy, ...]:
        """Copies whose labels differ."""
        return tuple(
            copy
            for copy in self.copies
            if self.samples[copy.first].label != self.samples[copy.second].label
        )

    @property
    def groups_across(self) -> tuple[str, ...]:
        """Known groups (patients) in more than one part."""
        parts: dict[str, set[Split]] = {}
        for sample in self.samples:
            if sample.group:
                parts.setdefault(sample.group, set()).add(sample.split)
        return tuple(sorted(group for group, found in parts.items() if len(found) > 1))

    def leaked(self, part: Split, source: Split) -> Counter[CopyKind]:
        """Count the images of ``part`` with a copy in ``source``, by their strictest kind."""
        strictest: dict[int, CopyKind] = {}
        for copy in self.copies:
            for row, other in ((copy.first, copy.second), (copy.second, copy.first)):
                if self.samples[row].split == part and self.samples[other].split == source:
                    kinds = (strictest.get(row, copy.kind), copy.kind)
                    strictest[row] = min(kinds, key=COPY_KINDS.index)
        return Counter(strictest.values())

    def pair_counts(self) -> dict[str, Counter[CopyKind]]:
        """Count pairs by the two parts they lie in, such as ``train-test``, and by kind."""
        counts: dict[str, Counter[CopyKind]] = {}
        for copy in self.copies:
            parts = {self.samples[row].split for row in (copy.first, copy.second)}
            ordered = [part or "all" for part in (*SPLITS, "") if part in parts]
            counts.setdefault("-".join((ordered * 2)[:2]), Counter())[copy.kind] += 1
        return counts

    def to_dict(self) -> dict[str, object]:
        """Render the counts, for JSON."""
        splits = Counter(sample.split for sample in self.samples)
        present = [part for part in SPLITS if splits[part]]
        return {
            "schema_version": 1,
            "research_use": RESEARCH_USE_ONLY,
            "threshold": THRESHOLD,
            "pictures": len(self.samples),
            "distinct_pictures": self.distinct,
            "splits": {part or "all": splits[part] for part in (*SPLITS, "") if splits[part]},
            "pairs": {parts: dict(counts) for parts, counts in sorted(self.pair_counts().items())},
            "leaked_pictures": {
                f"{part} with a copy in {source}": {
                    "of": splits[part],
                    "any": self.leaked(part, source).total(),
                    **{kind: self.leaked(part, source)[kind] for kind in COPY_KINDS},
                }
                for source, part in combinations(present, 2)
            },
            "groups_across_splits": len(self.groups_across),
            "label_conflict_pairs": len(self.conflicts),
            "label_conflict_pictures": len(
                {row for copy in self.conflicts for row in (copy.first, copy.second)}
            ),
        }

    def write_json(self, path: Path) -> None:
        """Write the counts; raises ``CannotWrite``."""
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        write_bytes_atomically(path, text.encode())

    def write_csv(self, path: Path) -> None:
        """Write all pairs, those in different parts first; raises ``CannotWrite``."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        across = set(self.across)
        for copy in sorted(self.copies, key=lambda copy: copy not in across):
            a, b = self.samples[copy.first], self.samples[copy.second]
            score = f"{copy.score:.4f}"
            writer.writerow(
                (a.name, b.name, copy.kind, score, a.split, b.split, a.class_name, b.class_name)
            )
        write_bytes_atomically(path, text.getvalue().encode())

    def _pairs(self) -> list[tuple[int, int]]:
        return [(copy.first, copy.second) for copy in self.copies]


def audit(
    samples: Sequence[Sample], *, cache: Path | None = None, progress: Progress | None = None
) -> AuditReport:
    """Find all copies among samples; arguments and errors as for ``copies_among``."""
    copies = copies_among(samples, cache=cache, progress=progress)
    return AuditReport(samples=tuple(samples), copies=tuple(copies))
