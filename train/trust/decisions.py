"""What the bundle's own decisions keep and what they cost, on images whose class is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.figures.shares import share
from train.metrics.figures import GroupBootstrap
from train.metrics.missed import missed_key
from train.trust.shares import share_by_patient

__all__ = ["decision_figures"]


def decision_figures(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    accepted: NDArray[np.bool_],
    groups: Sequence[str],
    bootstrap: GroupBootstrap,
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Compute what trust.json holds of decisions.

    Args:
        labels: (N,), true class ids.
        predicted: (N,), class ids; -1 where there is no answer.
        accepted: (N,).
        groups: Patient group of each image.
        bootstrap: Of these images.
        classes: What is told apart.

    Returns:
        ``accepted``; ``accuracy_among_accepted``, by image and with each patient counting the same, and, whatever was
        decided, ``accuracy``; if there is a negative class, the share of other images that is called so
        (``train.metrics.missed``), among accepted ones and among all; ``right_lost``, the share of right answers that
        is not accepted; ``wrong_and_accepted``, a share of all images.
    """
    everywhere = np.ones(len(labels), dtype=np.bool_)
    right = predicted == labels
    missed = {}
    if classes.negative_id is not None:
        key = missed_key(classes)
        positive, called = labels != classes.negative_id, predicted == classes.negative_id
        missed = {
            f"{key}_among_accepted": share(called, positive & accepted, bootstrap),
            key: share(called, positive, bootstrap),
        }
    return {
        "accepted": share(accepted, everywhere, bootstrap),
        "accuracy_among_accepted": share(right, accepted, bootstrap),
        "accuracy_among_accepted_by_patient": share_by_patient(right, accepted, groups, bootstrap),
        "accuracy": share(right, everywhere, bootstrap),
        **missed,
        "right_lost": share(~accepted, right, bootstrap),
        "wrong_and_accepted": share(~right & accepted, everywhere, bootstrap),
    }
