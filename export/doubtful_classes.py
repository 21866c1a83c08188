"""Classes that a bundle will hardly ever answer: their right answers are nearly all abstained from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import Classes
from edge_infer.names import shown_name
from export.trust.set_fit import accepted_answers

__all__ = ["doubtful_classes"]

#: A class of whose right answers a smaller share is accepted is as good as never answered.
_LEAST_SHARE = 0.1
_NAMED = 10


def doubtful_classes(
    trust: Mapping[str, Any],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Classes,
) -> str:
    """Name the classes that are hardly ever accepted, on the images that thresholds were fitted on.

    Args:
        trust: Of the manifest, as ``export.trust.sets`` fits it on the same answers.
        probabilities: (N, classes).
        labels: (N,), class ids.
        classes: Of the model.

    Returns:
        One line with each class, its n right answers and the share of them that is accepted; empty if none is such. A
        class without an image is not judged.
    """
    right = probabilities.argmax(axis=1) == labels
    thresholds = [trust["set_thresholds"][name] for name in classes.names]
    accepted = accepted_answers(probabilities, thresholds, trust["least_score"])
    found = []
    for number, name in enumerate(classes.names):
        own = labels == number
        n, kept = int((own & right).sum()), int((own & right & accepted).sum())
        if own.any() and (not kept or kept < _LEAST_SHARE * n):
            share = f"{100 * kept / n:.1f} % of n {n}" if n else f"n 0 of {int(own.sum())} images"
            found.append(f"{shown_name(name)} ({share})")
    if not found:
        return ""
    more = f" and {len(found) - _NAMED} more classes" if len(found) > _NAMED else ""
    return (
        "warning: right answers that are hardly ever accepted, where the thresholds were fitted: "
        f"{', '.join(found[:_NAMED])}{more}; more images or patients of each class, or a better model, may help"
    )
