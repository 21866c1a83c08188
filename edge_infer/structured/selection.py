"""Which slices get a place of their own in a report: those that speak for a tumour, and not without bound."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_infer.classes import Classes
from edge_infer.names import counted
from edge_infer.prediction import Prediction
from edge_infer.series.result import SeriesResult, SliceAnswer

__all__ = ["MOST_SLICES", "Selection", "prediction_of", "select_slices"]

#: A report of 24 slices is of some 150 kB, and nobody reads more.
MOST_SLICES = 24
#: Where no slice is called a tumour, those that come nearest.
_NEAREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The slices that are shown one by one.

    Attributes:
        slices: In the order of the series.
        has_evidence: Whether they speak for a tumour; else they are those that come nearest.
        words: Which they are, and how many others there are.
    """

    slices: tuple[SliceAnswer, ...]
    has_evidence: bool
    words: str


def prediction_of(answer: SliceAnswer) -> Prediction:
    """Return the answer of a slice that was classified."""
    if answer.outcome is None or answer.outcome.prediction is None:
        raise ValueError(f"slice {answer.number} has no answer")
    return answer.outcome.prediction


def select_slices(result: SeriesResult, *, most: int = MOST_SLICES) -> Selection:
    """Choose the slices that are called a tumour or that the finding rests on; of too many, the most probable.

    Args:
        result: Of a series.
        most: How many at most.
    """
    classified = result.classified
    evidence = [answer for answer in classified if _is_evidence(answer, result)]
    if evidence:
        chosen = _highest(evidence, most)
        slices = f"{len(chosen)} of {counted(len(evidence), 'slice')}"
        words = f"{slices} {_called(result.classes)} and accepted, or scored as one"
        if result.classes.negative is None:
            words = f"{slices} accepted"
    else:
        chosen = _highest(classified, min(_NEAREST, most))
        words = f"no slice is {_called(result.classes)} and accepted; the {counted(len(chosen), 'slice')} nearest to it"
        if result.classes.negative is None:
            words = f"no slice is accepted; the {counted(len(chosen), 'slice')} most sure"
    others = len(classified) - len(chosen)
    return Selection(
        slices=tuple(chosen),
        has_evidence=bool(evidence),
        words=f"Shown one by one: {words}. {counted(others, 'other classified slice')} summarised in the counts.",
    )


def _called(classes: Classes) -> str:
    return "called a tumour" if classes.is_brain else "called another class"


def _is_evidence(answer: SliceAnswer, result: SeriesResult) -> bool:
    prediction = prediction_of(answer)
    if prediction.is_accepted and not prediction.is_negative:
        return True
    if result.finding != "tumour_evidence" or result.scored is None:
        return False
    first, last = result.scored  # the run that the finding rests on
    return first <= answer.number <= last


def _highest(answers: Sequence[SliceAnswer], most: int) -> list[SliceAnswer]:
    ranked = sorted(answers, key=lambda answer: (_healthy(answer), answer.number))
    return sorted(ranked[:most], key=lambda answer: answer.number)


def _healthy(answer: SliceAnswer) -> float:
    """Return the probability of the negative class; without one, that the answer is wrong."""
    prediction = prediction_of(answer)
    if prediction.negative_label is None:
        return 1.0 - prediction.score
    return prediction.probabilities.get(prediction.negative_label, 0.0)
