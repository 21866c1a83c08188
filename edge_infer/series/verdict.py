"""What the rule says of a series, and why it says nothing where it abstains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_infer.series.result import Finding, SeriesReason, SliceAnswer, SliceState
from edge_infer.series.sequence import OTHER_SEQUENCES
from edge_infer.series.study import Series
from edge_infer.series_rule import RuleScore, SeriesRule, score_of

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The finding for a series.

    Attributes:
        finding: What the rule says.
        score: None without a rule, or without a run that is long enough.
        label: The tumour; empty without evidence.
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
    labels: Sequence[str],
) -> Verdict:
    """Apply the rule.

    Args:
        series: Which is judged.
        answers: To all its slices, in order.
        sequence: What it is taken for.
        rule: None if the bundle has none.
        labels: Of the bundle.
    """
    reasons = []
    if rule is None:
        reasons.append(SeriesReason.NO_RULE)
    if sequence in OTHER_SEQUENCES:
        reasons.append(SeriesReason.OTHER_SEQUENCE)
    if not series.has_places:
        reasons.append(SeriesReason.UNKNOWN_POSITIONS)
    asked = [one for one in answers if one.state is SliceState.CLASSIFIED]
    if _mostly_not_accepted(asked):
        reasons.append(SeriesReason.OUT_OF_SCOPE)
    found = None
    if rule is not None and series.has_places:
        found = _score(asked, rule, labels)
        if found is None:
            reasons.append(SeriesReason.TOO_FEW_SLICES)
    return _weigh(answers, asked, found, rule, reasons)


def _weigh(
    answers: Sequence[SliceAnswer],
    asked: Sequence[SliceAnswer],
    found: RuleScore | None,
    rule: SeriesRule | None,
    reasons: list[SeriesReason],
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
    asked: Sequence[SliceAnswer], rule: SeriesRule, labels: Sequence[str]
) -> RuleScore | None:
    if not asked:
        return None
    logits = np.array([[_logits(one)[label] for label in labels] for one in asked])
    positions = np.array([one.slice.geometry.position_mm for one in asked if one.slice.geometry])
    return score_of(logits, positions, labels, rule)


def _logits(one: SliceAnswer) -> dict[str, float]:
    if one.outcome is None or one.outcome.prediction is None:  # not of a classified slice
        raise ValueError(f"slice {one.number} has no answer")
    return dict(one.outcome.prediction.logits)
