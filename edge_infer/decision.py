"""Accept an answer or abstain, and why: the scope score, the prediction set and the doubts, weighed in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_infer.reasons import Doubt, Reason
from edge_infer.trust import Trust

__all__ = ["ABSTAINING", "NOTED", "SCOPE_MODES", "Decision", "ScopeMode", "Verdict", "decide"]

Verdict = Literal["accept", "abstain"]

#: What reasons do. ``enforce``: any reason abstains. ``report``: reasons are listed and the answer is accepted all the
#: same, to find out what a bundle would do. ``off``: no scope score is computed; the other reasons abstain.
ScopeMode = Literal["enforce", "report", "off"]
SCOPE_MODES: tuple[ScopeMode, ...] = ("enforce", "report", "off")

#: Doubts about an image for which its answer is not accepted, and why.
ABSTAINING: Mapping[Reason, str] = {
    Reason.LOW_QUALITY: "what the model looks for is damaged or lost",
    Reason.TOO_FEW_GREY_LEVELS: "shades that differ in the scan may be one grey here, and which ones cannot be known",
    Reason.SEVERAL_SLICES: "one answer for several slices is an answer for none of them",
    Reason.COLOUR_OVERLAY: "what lies over the scan becomes tissue in grey, and photographs are no scans",
    Reason.BURNT_IN_TEXT: "strokes of text over the scan are bright structures to the model",
    Reason.INVERTED: "the model never saw black and white exchanged",
}

#: Doubts that are a note beside an answer and no more: scans that were answered rightly have them too.
NOTED: Mapping[Reason, str] = {
    Reason.BLANK_RIM: "a wide field of view does that; the slice is smaller, and complete",
    Reason.ODD_SHAPE: "a tightly cropped scan is squeezed, and squeezed scans are among the training images",
    Reason.TOO_SMALL: "fewer pixels show less, but what they show is right",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done with an answer.

    Attributes:
        decision: ``accept`` or ``abstain``.
        reasons: Why it abstains, or with ``report`` would; each once, in the order of ``Reason``.
        prediction_set: The labels that cannot be excluded, in the order of the bundle; empty without ``trust``.
    """

    decision: Verdict
    reasons: tuple[Reason, ...]
    prediction_set: tuple[str, ...]


def decide(
    probabilities: NDArray[np.floating[Any]],
    labels: Sequence[str],
    scope_score: float | None,
    doubts: Sequence[Doubt],
    trust: Trust | None,
    mode: ScopeMode,
) -> Decision:
    """Decide about one answer.

    Args:
        probabilities: float, (classes,), calibrated.
        labels: In the same order.
        scope_score: None if it was not computed.
        doubts: What was seen of the image.
        trust: The bundle's; None where it has none, and then only doubts decide.
        mode: See ``ScopeMode``.
    """
    found = {doubt.reason for doubt in doubts if doubt.reason in ABSTAINING}
    prediction_set: tuple[str, ...] = ()
    if trust is not None:
        prediction_set = tuple(
            label
            for label, probability in zip(labels, probabilities.tolist(), strict=True)
            if 1 - probability <= trust.set_thresholds[label]
        )
        if len(prediction_set) != 1 or float(probabilities.max()) < trust.least_score:
            found.add(Reason.AMBIGUOUS)
        if mode != "off" and _is_outside(scope_score, trust.scope_threshold):
            found.add(Reason.OUT_OF_SCOPE)
    reasons = tuple(reason for reason in Reason if reason in found)
    abstains = bool(reasons) and mode != "report"
    return Decision(
        decision="abstain" if abstains else "accept",
        reasons=reasons,
        prediction_set=prediction_set,
    )


def _is_outside(score: float | None, threshold: float | None) -> bool:
    if score is None or threshold is None:
        return False
    return not score <= threshold  # so that NaN is outside
