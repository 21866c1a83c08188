"""What a bundle does with a set of other images, beside the part that it was made for."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.figures.shares import envelope, share
from train.metrics.figures import GroupBootstrap, roc_auc, wilson_interval
from train.trust.answers import TrustAnswers
from train.trust.decisions import decision_figures
from train.trust.image_set import NO_CLASS

__all__ = ["PART_ACCEPTED", "stranger_figures"]

#: The share of the part that is accepted at the threshold that compares scores.
PART_ACCEPTED = 0.95

_Floats = NDArray[np.float64]


def stranger_figures(part: TrustAnswers, others: TrustAnswers, *, seed: int = 0) -> dict[str, Any]:
    """Compute what trust.json holds of a set.

    Args:
        part: Answers on the part; none is refused.
        others: Answers on the set.
        seed: Of the bootstrap.

    Returns:
        ``n``, ``groups`` (patients; images without one count each), ``refused``; by the scope score alone ``roc_auc``
        against the part, and ``accepted_at_95``, the share accepted at the threshold at which 95 % of the part is,
        both None without a score or if all images are refused; by the bundle's own decision ``accepted``, where
        refused images are not; ``reasons`` and the ``labels`` answered, of all images and of accepted ones, counted.
        Where classes are known, ``decisions`` on those images.
    """
    bootstrap = GroupBootstrap(len(others.images), groups=others.groups, seed=seed)
    everywhere = np.ones(len(others.images), dtype=np.bool_)
    known = np.flatnonzero((others.labels != NO_CLASS) & ~others.refused)
    return {
        "n": len(others.images),
        "groups": len({group or row for row, group in enumerate(others.groups)}),
        "refused": int(others.refused.sum()),
        **_by_score(part, others.only(np.flatnonzero(~others.refused)), seed),
        "accepted": share(others.accepted, everywhere, bootstrap),
        "reasons": others.counted_reasons(),
        "labels": {
            "all": others.counted_labels(everywhere),
            "accepted": others.counted_labels(others.accepted),
        },
        "decisions": _decisions(others.only(known), seed) if len(known) else None,
    }


def _by_score(part: TrustAnswers, others: TrustAnswers, seed: int) -> dict[str, Any]:
    scores = np.concatenate([part.scope_scores, others.scope_scores])
    if not len(others.images) or np.isnan(scores).any():
        return {"roc_auc": None, "accepted_at_95": None}
    is_other = np.arange(len(scores)) >= len(part.images)
    bootstrap = GroupBootstrap(
        len(scores), groups=[*_own("part", part.groups), *_own("other", others.groups)], seed=seed
    )

    def accepted(rows: NDArray[np.int64]) -> float | None:
        its = is_other[rows]
        if its.all() or not its.any():
            return None
        threshold = _threshold(scores[rows[~its]])
        return float((scores[rows[its]] <= threshold).mean())

    found = int((others.scope_scores <= _threshold(part.scope_scores)).sum())
    n = len(others.images)
    return {
        "roc_auc": asdict(bootstrap(lambda rows: roc_auc(is_other[rows], scores[rows]))) | {"n": n},
        "accepted_at_95": envelope(
            asdict(wilson_interval(found, n)), asdict(bootstrap(accepted)) | {"n": n}
        ),
    }


def _threshold(scores: _Floats) -> float:
    """Return the smallest score that at least 95 % do not exceed."""
    return float(np.quantile(scores, PART_ACCEPTED, method="inverted_cdf"))


def _own(prefix: str, groups: Sequence[str]) -> list[str]:
    """Keep patients of the two apart, though they may have one number."""
    return [group and f"{prefix} {group}" for group in groups]


def _decisions(others: TrustAnswers, seed: int) -> dict[str, Any]:
    bootstrap = GroupBootstrap(len(others.images), groups=others.groups, seed=seed)
    return decision_figures(
        others.labels,
        others.predicted,
        others.accepted,
        others.groups,
        bootstrap,
        others.classes,
    )
