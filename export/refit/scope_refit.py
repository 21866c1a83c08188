"""A new threshold for the scope check, which a few wrong images among those without labels cannot move far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import DataRefused
from export.trust.scope_fit import threshold_at

__all__ = ["LEAST_ACCEPTED", "ScopeRefit", "refit_scope", "within_fence"]

#: Without labels, at least this share must be in scope already. Otherwise the images may be of another kind, such as
#: another sequence, and a threshold that accepts them would switch the check off unseen.
LEAST_ACCEPTED = 0.5

#: Tukey's fence, in lengths of the middle half (Exploratory data analysis, 1977). With 50 images the 95 % threshold is
#: the second largest score, so two chest X-rays among them would decide it. The fence comes from the middle half, which
#: they do not reach. A longer one lets more of them in; docs/trust.md says what was measured.
_FENCE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRefit:
    """The new threshold, and what it does to the images it was fitted on.

    Attributes:
        described: ``trust.scope`` of the new manifest.
        scores: Of the images, (N,).
        before: Which share of the images the old threshold accepts.
        after: Which share the new one accepts.
        far: Images that were left out because they are far from the rest, the farthest first; places among the scores.
        newly: Images that only the new threshold accepts, the farthest first.
    """

    described: dict[str, Any]
    scores: NDArray[np.float64] = field(repr=False)
    before: float
    after: float
    far: tuple[int, ...] = field(repr=False)
    newly: tuple[int, ...] = field(repr=False)


def refit_scope(
    described: Mapping[str, Any], scores: NDArray[np.float64], *, labelled: bool, source: str
) -> ScopeRefit:
    """Fit the threshold.

    Args:
        described: ``trust.scope`` of the old manifest.
        scores: Of the images, (N,).
        labelled: A person has said what each image shows, so that all of them count.
        source: What the images are, in words.

    Raises:
        DataRefused: Without labels, most images are out of scope.
    """
    old = described["threshold"]
    before = float((scores <= old).mean())
    if not labelled and before < LEAST_ACCEPTED:
        raise DataRefused(
            f"the bundle takes {100 * before:.0f} % of these images as being in scope, expected at least "
            f"{100 * LEAST_ACCEPTED:.0f} %: they are of a kind that the model has not learnt",
            hint="check sequence and body part; images that are right can be given with labels",
        )
    is_used = np.ones(len(scores), dtype=np.bool_) if labelled else within_fence(scores)
    new = threshold_at(scores[is_used], described["accepted"])
    fitted_on = {
        **described["fitted_on"],
        "threshold": source,
        "n_threshold": int(is_used.sum()),
    }
    falling = np.argsort(-scores, kind="stable").tolist()
    return ScopeRefit(
        described={**described, "threshold": new, "fitted_on": fitted_on},
        scores=scores,
        before=before,
        after=float((scores <= new).mean()),
        far=tuple(row for row in falling if not is_used[row]),
        newly=tuple(row for row in falling if old < scores[row] <= new),
    )


def within_fence(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which scores are not far above the rest: (N,).

    Far is more than 1.5 times the length of the middle half above its end.
    """
    lower, upper = np.quantile(scores, [0.25, 0.75])
    return np.asarray(scores <= upper + _FENCE * (upper - lower), dtype=np.bool_)
