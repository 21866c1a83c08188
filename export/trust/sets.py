"""What the manifest says about prediction sets: the fields of ``trust`` other than ``scope``."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from export.trust.set_fit import (
    ALPHA,
    TARGET_ACCURACY,
    accepted_answers,
    fit_thresholds,
    group_counts,
    least_score,
)

__all__ = ["Way", "sets_fields"]

#: How the images that thresholds are fitted on were kept from the model.
Way = Literal["out-of-fold", "validation", "site"]


def sets_fields(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    *,
    source: str,
    way: Way,
    classes: Classes = BRAIN,
    alpha: float = ALPHA,
    target: float = TARGET_ACCURACY,
    best_of_few: bool = False,
) -> dict[str, Any]:
    """Fit thresholds and the least score.

    Args:
        probabilities: (N, classes), in the order of ``classes``.
        labels: (N,), class ids.
        groups: N patient groups.
        source: What the images are.
        way: How they were kept from the model.
        classes: Of the model.
        alpha: Share of images whose class may be missing from the set.
        target: Accuracy that the least score is to reach among accepted images.
        best_of_few: As for ``fit_thresholds``.

    Returns:
        ``trust`` of the manifest; its ``scope`` is None.
    """
    thresholds = fit_thresholds(probabilities, labels, groups, alpha=alpha, best_of_few=best_of_few)
    counts = group_counts(labels, groups, len(classes))
    least = least_score(probabilities, labels, groups, thresholds, target=target)
    accepted = accepted_answers(probabilities, thresholds, least)
    right = accepted & (probabilities.argmax(axis=1) == labels)
    return {
        "alpha": alpha,
        "set_thresholds": dict(zip(classes.names, thresholds, strict=True)),
        "least_score": least,
        "target_accuracy": target,
        "fitted_on": {
            "source": source,
            "n": len(labels),
            "accepted": int(accepted.sum()),
            "right": int(right.sum()),
            "groups": dict(zip(classes.names, counts, strict=True)),
            "way": way,
        },
        "scope": None,
    }
