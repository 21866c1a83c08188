"""What the bundle's own decisions keep and what they cost, on images whose class is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from train.metrics.figures import GroupBootstrap
from train.trust.shares import share, share_by_patient

__all__ = ["decision_figures"]

_HEALTHY = LABELS.index("no_tumor")


def decision_figures(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    accepted: NDArray[np.bool_],
    groups: Sequence[str],
    bootstrap: GroupBootstrap,
) -> dict[str, Any]:
    """Compute what trust.json holds of decisions.

    Args:
        labels: (N,), true class ids.
        predicted: (N,), class ids; -1 where there is no answer.
        accepted: (N,).
        groups: Patient group of each image.
        bootstrap: Of these images.

    Returns:
        ``accepted``; ``accuracy_among_accepted``, by image and with each patient counting the same, and, whatever was
        decided, ``accuracy``; the share of tumours that is
        called no_tumor, among accepted tumours and among all; ``right_lost``, the share of right answers that is not
        accepted; ``wrong_and_accepted``, a share of all images.
    """
    everywhere = np.ones(len(labels), dtype=np.bool_)
    right, tumour = predicted == labels, labels != _HEALTHY
    called_healthy = predicted == _HEALTHY
    return {
        "accepted": share(accepted, everywhere, bootstrap),
        "accuracy_among_accepted": share(right, accepted, bootstrap),
        "accuracy_among_accepted_by_patient": share_by_patient(right, accepted, groups, bootstrap),
        "accuracy": share(right, everywhere, bootstrap),
        "tumor_called_no_tumor_among_accepted": share(called_healthy, tumour & accepted, bootstrap),
        "tumor_called_no_tumor": share(called_healthy, tumour, bootstrap),
        "right_lost": share(~accepted, right, bootstrap),
        "wrong_and_accepted": share(~right & accepted, everywhere, bootstrap),
    }
