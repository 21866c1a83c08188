"""What the rule says of a series, and why it says nothing where it abstains."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from edge_infer.classes import Classes
from edge_infer.series.places import GAP, usual_step_mm
from edge_infer.series.result import Finding, SeriesReason, SliceAnswer, SliceState
from edge_infer.series.runs import positive_of
from edge_infer.series.sequence import OTHER_SEQUENCES
from edge_infer.series.study import Series
from edge_infer.series_rule import RuleScore, SeriesRule, score_of

__all__ = ["Verdict", "judge"]

#: Slices farther apart are no neighbours, however even the steps are: five times what the rule was fitted on.
_FARTHEST_MM = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The finding for a series.

    Attributes:
        finding: What the rule says.
        score: None without a rule, or without a run that is long enough.
        label: The tumour, or class but the negative one; empty without evidence.
        scored: Numbers of the first and the last slice of the run that the score is of.
        reasons: Why it abstains.
    """

    finding: Finding
    score: float | None = None
    label: str = ""
    scored: tuple[int, int] | None = None
    reasons: tuple[SeriesReason, ...] = ()


def judge(
    series: Series,
    answers: Sequence[SliceAnswer],
    *,
    sequence: str,
    rule: SeriesRule | None,
    classes: Classes,
) -> Verdict:
    """Apply the rule.

    Args:
        series: Which is judged.
        answers: To all its slices, in order.
        sequence: What it is taken for.
        rule: None if the bundle has none.
        classes: Of the bundle.
    """
    reasons = []
    if rule is None:
        reasons.append(SeriesReason.NO_RULE)
    if series.names_several_patients:
        reasons.append(SeriesReason.SEVERAL_PATIENTS)
    if classes.is_brain and sequence in OTHER_SEQUENCES:  # what others learnt is not known
        reasons.append(SeriesReason.OTHER_SEQUENCE)
    if not series.has_places:
        reasons.append(SeriesReason.UNKNOWN_POSITIONS)
    asked = [one for one in answers if one.state is SliceState.CLASSIFIED]
    if _mostly_not_accepted(asked):
        reasons.append(SeriesReason.OUT_OF_SCOPE)
    found = None
    has_lone = False
    if rule is not None and series.has_places:
        gaps = _gaps(series, asked)
        found = _score(asked, rule, classes, gaps)
        has_lone = _is_called_beside(gaps, asked)
        if found is None:
            reasons.append(SeriesReason.TOO_FEW_SLICES)
    return _weigh(answers, asked, found, rule, reasons, has_lone=has_lone)


def _weigh(
    answers: Sequence[SliceAnswer],
    asked: Sequence[SliceAnswer],
    found: RuleScore | None,
    rule: SeriesRule | None,
    reasons: list[SeriesReason],
    *,
    has_lone: bool,
) -> Verdict:
    has_failed = any(one.state is SliceState.FAILED for one in answers)
    score = None if found is None else found.score
    scored = None if found is None else (asked[found.first].number, asked[found.last].number)
    if found is None or rule is None:
        reasons += [SeriesReason.FAILED_SLICES] * has_failed
        return Verdict(finding="abstain", reasons=_ordered(reasons))
    if found.score > rule.positive and not reasons:  # slices that failed cannot take it back
        return Verdict(finding="tumour_evidence", score=score, label=found.label, scored=scored)
    reasons += [SeriesReason.FAILED_SLICES] * has_failed
    reasons += [SeriesReason.MISSING_SLICES] * has_lone
    if rule.negative <= found.score <= rule.positive:
        reasons.append(SeriesReason.AMBIGUOUS)
    finding: Finding = "abstain" if reasons else "no_tumour_evidence"
    return Verdict(finding=finding, score=score, scored=scored, reasons=_ordered(reasons))


def _ordered(reasons: Sequence[SeriesReason]) -> tuple[SeriesReason, ...]:
    return tuple(reason for reason in SeriesReason if reason in reasons)


def _mostly_not_accepted(asked: Sequence[SliceAnswer]) -> bool:
    predictions = [one.outcome.prediction for one in asked if one.outcome]
    accepted = sum(one is not None and one.is_accepted for one in predictions)
    return bool(asked) and 2 * accepted < len(asked)


def _score(
    asked: Sequence[SliceAnswer], rule: SeriesRule, classes: Classes, gaps: Collection[int]
) -> RuleScore | None:
    if not asked:
        return None
    logits = np.array([[_logits(one)[label] for label in classes.names] for one in asked])
    return score_of(logits, np.array(_places(asked)), classes, rule, gaps=gaps)


def _gaps(series: Series, asked: Sequence[SliceAnswer]) -> frozenset[int]:
    """Return the indices of slices that are no neighbours of the one before.

    Because slices are missing between the two, or have no answer, or because they lie too far apart, gap or none.
    """
    usual = usual_step_mm([one.geometry.position_mm for one in series.slices if one.geometry])
    farthest = min(GAP * usual, _FARTHEST_MM)
    places = _places(asked)
    return frozenset(
        index
        for index in range(1, len(asked))
        if places[index] - places[index - 1] > farthest
        or any(asked[index - 1].number <= gap < asked[index].number for gap in series.gaps)
    )


def _places(asked: Sequence[SliceAnswer]) -> list[float]:
    return [one.slice.geometry.position_mm for one in asked if one.slice.geometry]


def _is_called_beside(gaps: Collection[int], asked: Sequence[SliceAnswer]) -> bool:
    """Whether a slice beside a gap is called a tumour, and accepted."""
    beside = {*gaps, *(index - 1 for index in gaps)}
    return any(positive_of(asked[index]) for index in beside)


def _logits(one: SliceAnswer) -> dict[str, float]:
    if one.outcome is None or one.outcome.prediction is None:  # not of a classified slice
        raise ValueError(f"slice {one.number} has no answer")
    return dict(one.outcome.prediction.logits)
