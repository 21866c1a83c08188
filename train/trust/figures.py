"""All figures of the measurement, as trust.json holds them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_infer.errors import DataRefused
from edge_infer.names import counted, shown_name
from train.metrics.figures import GroupBootstrap
from train.metrics.missed import negative_field
from train.trust.answers import TrustAnswers
from train.trust.calibration import calibration_figures
from train.trust.conformal import (
    coverage_figures,
    resplit_figures,
    set_size_figures,
    shuffled,
)
from train.trust.decisions import decision_figures
from train.trust.image_set import ImageSet, Kind
from train.trust.selective import selective_figures
from train.trust.strangers import stranger_figures

__all__ = ["part_figures", "set_figures"]


def part_figures(part: TrustAnswers, trust: Mapping[str, Any], *, seed: int = 0) -> dict[str, Any]:
    """Compute the figures of the part.

    Args:
        part: Answers on it.
        trust: Field ``trust`` of the bundle's manifest.
        seed: Of everything random.

    Raises:
        DataRefused: The bundle refuses images of the part.
    """
    if part.refused.any():
        first = shown_name(part.images[int(np.flatnonzero(part.refused)[0])].name)
        raise DataRefused(
            f"{counted(int(part.refused.sum()), 'image')} of the part cannot be read, such as {first}",
            hint="brain-data audit names damaged images",
        )
    labels, predicted, groups = part.labels, part.predicted, part.groups
    bootstrap = GroupBootstrap(len(labels), groups=groups, seed=seed)
    classes = part.classes
    thresholds = np.array([trust["set_thresholds"][name] for name in classes.names])
    alpha = float(trust["alpha"])
    return {
        **negative_field(classes),
        "n": len(labels),
        "groups": len({group or row for row, group in enumerate(groups)}),
        "coverage": coverage_figures(part.in_set, labels, groups, bootstrap, classes),
        "set_size": set_size_figures(part.in_set, bootstrap),
        "resplits": resplit_figures(
            part.probabilities, labels, groups, thresholds, alpha, seed=seed, classes=classes
        ),
        "selective": selective_figures(part.confidence, predicted != labels, bootstrap),
        "decisions": decision_figures(labels, predicted, part.accepted, groups, bootstrap, classes),
        "reasons": part.counted_reasons(),
        "calibration": calibration_figures(labels, part.probabilities, bootstrap),
        "shuffled_labels": coverage_figures(
            part.in_set, shuffled(labels, seed), groups, bootstrap, classes
        ),
    }


def set_figures(
    part: TrustAnswers, sets: Sequence[tuple[ImageSet, TrustAnswers]], *, seed: int = 0
) -> dict[str, Any]:
    """Compute the figures of each set, and of all far, near and other sets together.

    Args:
        part: Answers on the part.
        sets: Each with the answers on it.
        seed: Of the bootstrap.
    """
    each = [
        {
            "name": one.name,
            "kind": str(one.kind),
            "note": one.note,
            **stranger_figures(part, answers, seed=seed),
        }
        for one, answers in sets
    ]
    together = {}
    for kind in Kind:
        its = [answers for one, answers in sets if one.kind == kind]
        if len(its) > 1:
            together[str(kind)] = {
                "sets": len(its),
                **stranger_figures(part, TrustAnswers.joined(its), seed=seed),
            }
    return {"each": each, "together": together}
