"""An audit as text."""

from collections.abc import Iterator
from itertools import combinations

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from train.data.samples import SPLITS
from train.splits.audit import AuditReport
from train.splits.copies import COPY_KINDS, THRESHOLD, Copy

__all__ = ["audit_text"]

_WORDS = {
    "bytes": "byte-identical",
    "pixels": "same pixels, other bytes",
    "near": f"near-copy (correlation >= {THRESHOLD})",
    "mirrored": "mirrored copy",
    "turned": "turned copy",
}
_EXAMPLES = 5


def audit_text(report: AuditReport) -> str:
    """Summarise what leaks, in about a dozen lines."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: AuditReport) -> Iterator[str]:
    parts = {part: sum(s.split == part for s in report.samples) for part in SPLITS}
    present = [part for part in SPLITS if parts[part]]
    sizes = ", ".join(f"{part} {parts[part]}" for part in present) or "not divided"
    yield f"{len(report.samples)} images ({sizes}), {report.distinct} distinct"
    for source, part in combinations(present, 2):
        counts = report.leaked(part, source)
        leaked, of = counts.total(), parts[part]
        yield ""
        yield f"{leaked} of {of} {part} images have a copy in {source} ({leaked / of:.1%})"
        yield from (f"  {counts[kind]:6d}  {_WORDS[kind]}" for kind in COPY_KINDS if counts[kind])
    yield ""
    yield f"{len(report.copies)} pairs of copies in all, {len(report.across)} across the split"
    if any(sample.group for sample in report.samples):
        yield f"{len(report.groups_across)} known groups (patients, copies) lie across the split"
    yield f"{len(report.conflicts)} pairs of copies have two labels"
    yield from (f"  {_pair(report, copy)}" for copy in report.conflicts[:_EXAMPLES])
    if report.across:
        yield ""
        yield "Across the split, for example (all of them: --csv FILE):"
        step = max(1, len(report.across) // _EXAMPLES)
        yield from (f"  {_pair(report, copy)}" for copy in report.across[::step][:_EXAMPLES])
    yield ""
    yield RESEARCH_USE_ONLY


def _pair(report: AuditReport, copy: Copy) -> str:
    a, b = report.samples[copy.first], report.samples[copy.second]
    return f"{shown_name(a.name)} | {shown_name(b.name)} | {copy.kind} {copy.score:.4f}"
