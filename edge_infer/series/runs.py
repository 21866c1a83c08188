"""Runs of neighbouring slices that are called the same tumour, or class but for the negative one, and accepted."""

from collections.abc import Collection, Sequence

from edge_infer.series.result import Run, SliceAnswer, SliceState

__all__ = ["positive_of", "runs_of"]


def runs_of(answers: Sequence[SliceAnswer], gaps: Collection[int]) -> tuple[Run, ...]:
    """Return all runs, the longest first; a slice alone is one, too.

    Args:
        answers: Of all slices, in order.
        gaps: Indices of slices that are no neighbours of the one before.
    """
    runs: list[tuple[str, int, int]] = []
    for index, answer in enumerate(answers):
        label = positive_of(answer)
        if not label:
            continue
        if runs and runs[-1][0] == label and runs[-1][2] == index - 1 and index not in gaps:
            runs[-1] = (label, runs[-1][1], index)
        else:
            runs.append((label, index, index))
    made = [
        Run(
            label=label,
            first=answers[first].number,
            last=answers[last].number,
            length_mm=_length(answers[first], answers[last]),
        )
        for label, first, last in runs
    ]
    return tuple(sorted(made, key=lambda run: -run.slices))


def positive_of(answer: SliceAnswer) -> str:
    """Return the tumour, or class but the negative one, that a slice is called, and accepted; empty for any other."""
    prediction = answer.outcome.prediction if answer.outcome else None
    if answer.state is not SliceState.CLASSIFIED or prediction is None:
        return ""
    is_called = prediction.is_accepted and not prediction.is_negative
    return prediction.label if is_called else ""


def _length(first: SliceAnswer, last: SliceAnswer) -> float | None:
    if first.slice.geometry is None or last.slice.geometry is None:
        return None
    return abs(last.slice.geometry.position_mm - first.slice.geometry.position_mm)
