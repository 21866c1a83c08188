"""Findings on series that changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edge_infer.comparison.answers import SeriesPair
from edge_infer.figures.intervals import wilson_interval

__all__ = ["series_figures"]

_EVIDENCE, _NONE = "tumour_evidence", "no_tumour_evidence"


def series_figures(series: Sequence[SeriesPair]) -> dict[str, Any] | None:
    """Count changes of findings; None without series.

    Returns:
        ``evidence_lost``: of series with evidence by the old bundle, how many have none by the new one; a series that
        abstains is not lost, since a person looks at it. ``changed``: of all.
    """
    if not series:
        return None
    had = [one for one in series if one.old == _EVIDENCE]
    findings = Counter((one.old, one.new) for one in series)
    return {
        "n": len(series),
        "evidence_lost": _share(sum(one.new == _NONE for one in had), len(had)),
        "changed": _share(sum(one.old != one.new for one in series), len(series)),
        "findings": [
            {"old": old, "new": new, "count": count}
            for (old, new), count in sorted(findings.items())
        ],
        "each": [
            {
                "name": one.name,
                "slices": one.slices,
                "old": one.old,
                "new": one.new,
                "old_reasons": list(one.old_reasons),
                "new_reasons": list(one.new_reasons),
            }
            for one in series
        ],
    }


def _share(count: int, n: int) -> dict[str, Any]:
    return {"count": count, **asdict(wilson_interval(count, n))}
