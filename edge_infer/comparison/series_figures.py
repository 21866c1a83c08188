"""Findings on series that changed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_infer.comparison.answers import SeriesPair
from edge_infer.figures.intervals import GroupBootstrap
from edge_infer.figures.shares import grouped_share

__all__ = ["series_figures"]

_EVIDENCE, _NONE = "tumour_evidence", "no_tumour_evidence"


def series_figures(series: Sequence[SeriesPair]) -> dict[str, Any] | None:
    """Count changes of findings; None without series.

    Returns:
        ``evidence_lost``: of series with evidence by the old bundle, how many have none by the new one; a series that
        abstains is not lost, since a person looks at it. ``changed``: of all. Series of one patient are not
        independent: intervals are by group, too.
    """
    if not series:
        return None
    bootstrap = GroupBootstrap(len(series), groups=[one.group for one in series])
    everywhere = np.ones(len(series), dtype=np.bool_)
    had = np.array([one.old == _EVIDENCE for one in series], dtype=np.bool_)
    none_now = np.array([one.new == _NONE for one in series], dtype=np.bool_)
    changed = np.array([one.old != one.new for one in series], dtype=np.bool_)
    findings = Counter((one.old, one.new) for one in series)
    return {
        "n": len(series),
        "evidence_lost": grouped_share(none_now, had, bootstrap),
        "changed": grouped_share(changed, everywhere, bootstrap),
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
