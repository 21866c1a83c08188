"""Answer a series: which slices hold brain, what each says, and what the rule makes of it.

All heads are measured before the first slice is asked. Between the two, slices are kept packed, up to a fixed amount;
the rest is read again. So memory does not grow with the number of slices.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from edge_infer.classes import Classes
from edge_infer.classifier import Classifier, Outcome
from edge_infer.errors import BrainError, InputOverLimit, UnreadableInput
from edge_infer.image_file import SourceImage
from edge_infer.names import counted, shown_name
from edge_infer.reading_time import check_seconds, read_within
from edge_infer.scan_slice import Acquisition, ScanSlice, ShownSlice
from edge_infer.series.head_area import LEAST_SHARE, head_area, head_shares
from edge_infer.series.kept_slices import KeptSlices
from edge_infer.series.result import (
    Finding,
    Run,
    SequenceGuess,
    SeriesResult,
    SliceAnswer,
    SliceState,
)
from edge_infer.series.runs import runs_of
from edge_infer.series.sequence import guess_sequence
from edge_infer.series.stacks import UNSEEN_TUMOUR
from edge_infer.series.study import Series
from edge_infer.series.verdict import judge
from edge_infer.series_rule import SeriesRule

__all__ = ["Progress", "Shown", "classify_series"]

_NAMED_RUNS = 3

#: Called with (done, total) steps.
Progress = Callable[[int, int], None]
#: Called with the index of a slice and its image, mode ``L``, which is not kept.
Shown = Callable[[int, Image.Image], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What is kept of a slice between the two readings."""

    area: float | None = None
    grey: str = ""
    warnings: tuple[str, ...] = ()
    sha256: str = ""
    seconds: float = 0.0
    error: BrainError | None = None


def classify_series(
    classifier: Classifier,
    series: Series,
    *,
    progress: Progress | None = None,
    shown: Shown | None = None,
    timeout_s: float | None = None,
) -> SeriesResult:
    """Answer a series. A slice that cannot be read fails alone.

    Args:
        classifier: Its scope mode holds for the slices.
        series: Of ``open_study``.
        progress: Called as work goes on.
        shown: Given each slice that can be read, once; a contact sheet keeps small copies.
        timeout_s: Seconds that reading a slice may take; None for no limit.
    """
    limit = check_seconds(timeout_s)
    total = 2 * len(series.slices)
    kept = KeptSlices()
    measured = []
    for index, one in enumerate(series.slices):
        measured.append(_measure(one, index, kept, shown, limit))
        _tell(progress, index + 1, total)
    shares = head_shares([each.area for each in measured])
    answers = []
    for index, one in enumerate(series.slices):
        source = kept.take(index)
        answers.append(
            _answer(classifier, one, index + 1, measured[index], shares[index], source, limit)
        )
        _tell(progress, len(series.slices) + index + 1, total)
    return _result(classifier, series, answers)


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _measure(
    one: ScanSlice, index: int, kept: KeptSlices, shown: Shown | None, limit: float | None
) -> _Measured:
    started = time.perf_counter()
    try:
        seen = _read(one, limit)
    except BrainError as error:
        return _Measured(error=error.without_frames())
    seconds = time.perf_counter() - started
    kept.keep(index, seen.source)
    if shown is not None:
        shown(index, seen.source.image)
    return _Measured(
        area=head_area(seen.source.image),
        grey=seen.grey,
        warnings=seen.warnings,
        sha256=seen.source.sha256,
        seconds=seconds,
    )


def _read(one: ScanSlice, limit: float | None) -> ShownSlice:
    try:
        return read_within(limit, one.read, one.name)
    except MemoryError:
        raise InputOverLimit(
            f"{shown_name(one.name)}: there is not enough memory for the slice"
        ) from None


def _answer(
    classifier: Classifier,
    one: ScanSlice,
    number: int,
    measured: _Measured,
    share: float | None,
    source: SourceImage | None,
    limit: float | None,
) -> SliceAnswer:
    state, outcome = SliceState.END_SLICE, None
    if measured.error is not None:
        outcome = Outcome(source=one.name, error=measured.error)
    elif share is not None and share >= LEAST_SHARE:
        outcome = _ask(classifier, one, measured, source, limit)
    if outcome is not None:
        state = SliceState.CLASSIFIED if outcome.prediction else SliceState.FAILED
    warnings = [*one.warnings, *measured.warnings]
    return SliceAnswer(
        slice=one,
        number=number,
        state=state,
        head_share=share,
        grey=measured.grey,
        outcome=outcome,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _ask(
    classifier: Classifier,
    one: ScanSlice,
    measured: _Measured,
    source: SourceImage | None,
    limit: float | None,
) -> Outcome:
    try:
        source = source or _read(one, limit).source
        if source.sha256 != measured.sha256:
            raise UnreadableInput(
                f"{shown_name(one.name)}: file changed while it was being processed"
            )
    except BrainError as error:
        return Outcome(source=one.name, error=error.without_frames())
    outcome = next(classifier.predict_each([source]))
    # The name in place of the source: a result must not hold the pixels of all slices.
    prediction = outcome.prediction
    if prediction is None:
        return Outcome(source=one.name, error=outcome.error)
    timings = {**prediction.timings_ms, "read": 1000 * measured.seconds}
    return Outcome(source=one.name, prediction=replace(prediction, timings_ms=timings))


def _result(classifier: Classifier, series: Series, answers: Sequence[SliceAnswer]) -> SeriesResult:
    classes, rule = classifier.bundle.classes, classifier.bundle.series_rule
    sequence = guess_sequence(_usual([one.acquisition for one in series.slices]))
    runs = runs_of(answers, series.gaps)
    verdict = judge(series, answers, sequence=sequence.name, rule=rule, classes=classes)
    return SeriesResult(
        number=series.number,
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        plane=series.plane,
        sequence=sequence,
        slices=tuple(answers),
        runs=runs,
        label=verdict.label,
        score=verdict.score,
        rule="" if rule is None else rule.words(classes),
        finding=verdict.finding,
        reasons=verdict.reasons,
        warnings=(
            *_of_places(series, classes),
            *_no_negative(classes),
            *_called_all_the_same(verdict.finding, runs, classes),
            *_warnings(sequence, answers, classes),
            *_other_plane(series, rule),
        ),
        scored=verdict.scored,
        classes=classes,
    )


def _no_negative(classes: Classes) -> Iterator[str]:
    if classes.negative is None:
        yield "none of the classes says that nothing is there, so the slices have answers and the series has no finding"


def _of_places(series: Series, classes: Classes) -> Iterator[str]:
    """Yield what is amiss with the positions; the files were read before it was known which classes there are."""
    for warning in series.warnings:
        yield (
            warning
            if classes.is_brain
            else warning.replace(UNSEEN_TUMOUR, "what lies between two is not seen")
        )


def _other_plane(series: Series, rule: SeriesRule | None) -> Iterator[str]:
    if rule is not None and series.plane is not None and series.plane not in rule.planes:
        fitted = " and ".join(rule.planes)
        yield f"the rule was fitted on {fitted} slices; for {series.plane} ones nothing is measured"


def _called_all_the_same(finding: Finding, runs: Sequence[Run], classes: Classes) -> Iterator[str]:
    """Yield what slices say that are called a tumour in a series without evidence of one."""
    if finding != "no_tumour_evidence" or not runs:
        return
    shown = sorted(runs[:_NAMED_RUNS], key=lambda run: run.first)
    parts = [f"{_numbers(run)} {shown_name(run.label)}" for run in shown]
    slices = sum(run.slices for run in runs)
    more = (
        f", and {counted(len(runs) - len(shown), 'place')} more" if len(runs) > len(shown) else ""
    )
    if slices == 1:
        words = f"1 slice alone is called {shown_name(runs[0].label)} (slice {runs[0].first})"
    else:
        what = "a tumour" if classes.is_brain else "other classes"
        words = f"{counted(slices, 'slice')} are called {what} ({', '.join(parts)}{more})"
    yield f"{words}; by the rule that is no evidence"


def _numbers(run: Run) -> str:
    return f"slice {run.first}" if run.slices == 1 else f"slices {run.first} to {run.last}"


def _usual(acquisitions: Sequence[Acquisition]) -> Acquisition:
    """Return what most slices say."""
    return Counter(acquisitions).most_common(1)[0][0]


def _warnings(
    sequence: SequenceGuess, answers: Sequence[SliceAnswer], classes: Classes
) -> Iterator[str]:
    if sequence.name == "unknown" and classes.is_brain:
        yield "the header does not say which sequence it is; the model learnt T1-weighted slices"
    failed = sum(one.state is SliceState.FAILED for one in answers)
    if failed:
        missed = "a tumour there" if classes.is_brain else "what it shows"
        yield f"{counted(failed, 'slice')} without an answer: {missed} would be missed"
    common = Counter(words for one in answers for words in one.warnings)
    for words, count in common.items():
        yield words if count == len(answers) else f"{counted(count, 'slice')}: {words}"
