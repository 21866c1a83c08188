"""What is gained by answering only the surest images: risk against coverage.

The generalised risk at a coverage is the share of all images that are answered and wrong. Its area, AUGRC (Traub et
al., Overcoming Common Flaws in the Evaluation of Selective Classification Systems, NeurIPS 2024, arXiv 2407.01032), is
the mean risk over all thresholds; with accuracy a it equals (1 - AUROC) a (1 - a) + (1 - a)^2 / 2, where the AUROC is
that of confidence for being right. Images of equal confidence are answered together.
"""

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.metrics.figures import GroupBootstrap

__all__ = ["COVERAGES", "augrc", "risk_coverage", "selective_figures"]

#: The shares of images at which accuracy is given.
COVERAGES = (1.0, 0.95, 0.9, 0.8)
_POINTS = 100  # of the curve

_Floats = NDArray[np.float64]


def risk_coverage(confidence: _Floats, wrong: NDArray[np.bool_]) -> tuple[_Floats, _Floats]:
    """Return coverage and generalised risk at each threshold, from none answered to all.

    Args:
        confidence: (N,), at least one.
        wrong: (N,).

    Returns:
        Each (thresholds + 1,), rising.
    """
    order = np.argsort(-confidence, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    answered = (last_of_equals + 1) / len(order)
    risks = np.cumsum(wrong[order])[last_of_equals] / len(order)
    return np.append(0.0, answered), np.append(0.0, risks)


def augrc(confidence: _Floats, wrong: NDArray[np.bool_]) -> float:
    """Return the area below generalised risk over coverage: 0 is best, 0.5 is the worst."""
    answered, risks = risk_coverage(confidence, wrong)
    return float(np.trapezoid(risks, answered))


def selective_figures(
    confidence: _Floats, wrong: NDArray[np.bool_], bootstrap: GroupBootstrap
) -> dict[str, Any]:
    """Compute what trust.json holds of the curve.

    Args:
        confidence: (N,), the top probability.
        wrong: (N,).
        bootstrap: Of these images.

    Returns:
        ``augrc``; ``accuracy_at``, by share of images answered; ``curve``, the share answered and the share of them
        that is wrong, in steps of one hundredth.
    """

    def accuracy_at(coverage: float, rows: NDArray[np.int64]) -> float:
        answered, risks = risk_coverage(confidence[rows], wrong[rows])
        return float(1 - np.interp(coverage, answered, risks) / coverage)

    answered, risks = risk_coverage(confidence, wrong)
    steps = np.arange(1, _POINTS + 1) / _POINTS
    shares_wrong = np.interp(steps, answered, risks) / steps
    return {
        "augrc": asdict(bootstrap(lambda rows: augrc(confidence[rows], wrong[rows]))),
        "accuracy_at": {
            f"{coverage:.2f}": asdict(bootstrap(partial(accuracy_at, coverage)))
            for coverage in COVERAGES
        },
        "curve": [
            [round(float(step), 4), round(float(risk), 6)]
            for step, risk in zip(steps, shares_wrong, strict=True)
        ],
    }
