"""Where the classes are known: who is right how often, and whose probabilities mean what they say."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.comparison.pairs import Pairs
from edge_infer.figures.calibration import (
    BINS,
    brier_score,
    calibration_noise,
    confidence_bins,
    expected_calibration_error,
    negative_log_likelihood,
)
from edge_infer.figures.intervals import GroupBootstrap
from edge_infer.figures.paired import mcnemar_p, paired_difference
from edge_infer.figures.shares import envelope

__all__ = ["truth_figures"]

_Measure = Callable[[NDArray[np.int64], NDArray[np.float64]], float]

_MEASURES: dict[str, _Measure] = {
    "ece": expected_calibration_error,
    "nll": negative_log_likelihood,
    "brier": brier_score,
}


def truth_figures(pairs: Pairs) -> dict[str, Any] | None:
    """Compare both with the known classes; None where none is known.

    Returns:
        ``accuracy`` of ``all`` images, of each class (its recall), and of the answers that are accepted; each with old,
        new, ``drop`` (old minus new, paired) and McNemar's exact p. ``calibration`` with ECE, NLL and Brier score, and
        the ``noise`` of the ECE: what a perfectly calibrated model would show on so few images.
    """
    known = pairs.truth >= 0
    if not known.any():
        return None
    right_old = known & (pairs.old.labels == pairs.truth)
    right_new = known & (pairs.new.labels == pairs.truth)
    accuracy = {"all": _accuracy(pairs, right_old, right_new, known)}
    for number, name in enumerate(pairs.classes.names):
        of_class = pairs.truth == number
        if of_class.any():
            accuracy[name] = _accuracy(pairs, right_old, right_new, of_class)
    return {
        "n": int(known.sum()),
        "accuracy": accuracy,
        "accepted": {
            "old": pairs.share(right_old, known & pairs.old.accepted),
            "new": pairs.share(right_new, known & pairs.new.accepted),
        },
        "calibration": _calibration(pairs, known),
    }


def _accuracy(
    pairs: Pairs,
    right_old: NDArray[np.bool_],
    right_new: NDArray[np.bool_],
    among: NDArray[np.bool_],
) -> dict[str, Any]:
    only_old = int((right_old & ~right_new & among).sum())
    only_new = int((right_new & ~right_old & among).sum())

    def drop(rows: NDArray[np.int64]) -> float | None:
        chosen = rows[among[rows]]
        return float(right_old[chosen].mean() - right_new[chosen].mean()) if len(chosen) else None

    n, groups = int(among.sum()), pairs.groups_among(among)
    by_image = asdict(paired_difference(only_old, only_new, n))
    scale = groups / n
    by_group = asdict(paired_difference(only_old * scale, only_new * scale, groups))
    kept = {"value": by_image["value"], "n": n, "interval": "tango_of_groups"}
    lost = envelope(envelope(by_image, by_group | kept), asdict(pairs.bootstrap(drop)) | {"n": n})
    return {
        "old": pairs.share(right_old, among),
        "new": pairs.share(right_new, among),
        "drop": {**lost, "groups": groups},
        "only_old_right": only_old,
        "only_new_right": only_new,
        "mcnemar_p": mcnemar_p(only_old, only_new),
    }


def _calibration(pairs: Pairs, known: NDArray[np.bool_]) -> dict[str, Any]:
    truth = pairs.truth[known]
    groups = [case.group for case, is_known in zip(pairs.cases, known, strict=True) if is_known]
    old, new = pairs.old.probabilities[known], pairs.new.probabilities[known]
    bootstrap = GroupBootstrap(len(truth), groups=groups)
    figures: dict[str, Any] = {
        name: _compared(measure, truth, old, new, bootstrap) for name, measure in _MEASURES.items()
    }
    figures["ece"]["noise"] = {"old": calibration_noise(old), "new": calibration_noise(new)}
    figures["bins"] = {
        side: [
            {"n": n, "confidence": sure, "accuracy": right}
            for n, sure, right in confidence_bins(truth, probabilities, bins=BINS)
        ]
        for side, probabilities in (("old", old), ("new", new))
    }
    return figures


def _compared(
    measure: _Measure,
    truth: NDArray[np.int64],
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    bootstrap: GroupBootstrap,
) -> dict[str, Any]:
    def before(rows: NDArray[np.int64]) -> float:
        return measure(truth[rows], old[rows])

    def after(rows: NDArray[np.int64]) -> float:
        return measure(truth[rows], new[rows])

    sides = {
        "old": bootstrap(before),
        "new": bootstrap(after),
        "rise": bootstrap(lambda rows: after(rows) - before(rows)),
    }
    groups = len(np.unique(bootstrap.groups))
    return {side: {**asdict(figure), "groups": groups} for side, figure in sides.items()}
