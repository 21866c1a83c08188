"""Thresholds of the rule for series, from volumes of patients that the answering models had not learnt from.

A volume without its tumour slices stands for a healthy one: patient, scanner and sequence are the same. Both thresholds
are conformal quantiles by patient (Dunn, Wasserman, Ramdas, 2022, https://arxiv.org/abs/1809.07441): of new patients
like these, at most a share ``alpha`` of the volumes without tumour slices score above ``positive``, and at most
``alpha`` of those with a tumour below ``negative``. With fewer patients than that needs, the worst score seen decides,
and K patients promise K/(K + 1) only.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.series_rule import RULE, SeriesRule, read_series_rule, score_of
from export.trust.set_fit import group_weights
from export.trust.volume_answers import Volume

__all__ = ["LENGTH_MM", "SLICES", "SPACING_MM", "fit_series_rule", "score"]

#: Share of volumes that may lie on the wrong side of a threshold.
ALPHA = 0.1

#: Of the volumes that the rule is fitted on: 20 slices from the base of the skull to the vertex, which are some 13 cm.
SPACING_MM = 6.5

#: Two such neighbours; of thinner slices as many as reach as far. Chosen among 1 to 5 (docs/experiments.md).
SLICES, LENGTH_MM = 2, 6.0

_DIGITS = 1e4
_ROUNDING = 1e-9


def fit_series_rule(
    volumes: Sequence[Volume],
    *,
    temperature: float,
    source: str,
    classes: Classes = BRAIN,
    alpha: float = ALPHA,
    slices: int = SLICES,
    length_mm: float = LENGTH_MM,
) -> dict[str, Any]:
    """Return ``series`` of a manifest.

    Args:
        volumes: Answers to volumes; those with a tumour, and the tumour-free slices of all of them.
        temperature: Of the bundle.
        source: Where the volumes come from, for the manifest.
        classes: Of the model; one of them is the negative class.
        alpha: Share that may lie on the wrong side of a threshold.
        slices: Least number of slices of a run.
        length_mm: Least length of a run.

    Raises:
        ValueError: No volume has a tumour, or none has a run of slices without one.
    """
    described = {
        "rule": RULE,
        "slices": slices,
        "length_mm": length_mm,
        "temperature": temperature,
        "positive": 1.0,
        "negative": 0.0,
        "alpha": alpha,
        "fitted_on": {
            "source": source,
            "volumes": len(volumes),
            "patients": len({volume.patient for volume in volumes}),
            "planes": sorted({volume.plane for volume in volumes}),
        },
    }
    rule = read_series_rule(described)
    assert rule is not None  # noqa: S101 -- for the type checker
    ill = [volume for volume in volumes if volume.shows_tumour.any()]
    healthy = [volume.without_tumour() for volume in volumes]
    above = _threshold(healthy, rule, classes, alpha, lambda score: score)
    below = 1 - _threshold(ill, rule, classes, alpha, lambda score: 1 - score)
    positive = math.ceil(above * _DIGITS) / _DIGITS
    negative = math.floor(below * _DIGITS) / _DIGITS
    if (
        negative > positive
    ):  # every volume is on its side: nothing tells where between the two the border is
        positive = negative = round((negative + positive) / 2, 4)
    return {**described, "positive": positive, "negative": negative}


def score(volume: Volume, rule: SeriesRule, classes: Classes = BRAIN) -> float | None:
    """Return the score of a volume, or None if it has no run of slices that is long enough."""
    found = score_of(volume.logits, volume.numbers * SPACING_MM, classes, rule)
    return None if found is None else found.score


def _threshold(
    volumes: Sequence[Volume],
    rule: SeriesRule,
    classes: Classes,
    alpha: float,
    badness: Callable[[float], float],
) -> float:
    """Return the badness that at most a share alpha of new patients' volumes exceeds."""
    scored = [(volume.patient, score(volume, rule, classes)) for volume in volumes]
    kept = [(patient, badness(found)) for patient, found in scored if found is not None]
    if not kept:
        raise ValueError("no volume has a run of slices that is long enough")
    patients = [patient for patient, _ in kept]
    values: NDArray[np.float64] = np.array([value for _, value in kept])
    count = len(set(patients))
    level = min((1 - alpha) * (count + 1) / count, 1.0)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(group_weights(patients)[order]) >= level - _ROUNDING
    return float(values[order][int(reached.argmax())])
