"""A series as text for people: what it is taken for, the finding, and a line for each slice."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from edge_infer.names import counted, shown_name
from edge_infer.report import text_block
from edge_infer.series.lines import source_of
from edge_infer.series.places import steps_mm, usual_step_mm
from edge_infer.series.result import Finding, Run, SeriesResult, SliceAnswer, SliceState
from edge_infer.series.wrapping import USUAL_WIDTH, wrapped

__all__ = [
    "finding_name",
    "finding_words",
    "sequence_words",
    "series_block",
    "series_words",
    "taken_for",
]

_FINDINGS: dict[Finding, str] = {
    "tumour_evidence": "tumour evidence",
    "no_tumour_evidence": "no tumour evidence",
    "abstain": "abstains",
}
#: Of a bundle of other classes.
_OTHER_FINDINGS: dict[Finding, str] = {
    "tumour_evidence": "evidence",
    "no_tumour_evidence": "no evidence",
    "abstain": "abstains",
}
_CONTRAST = {
    "stated": "contrast agent stated",
    "described": "contrast agent described in words",
    "unknown": "contrast agent unknown",
}
_BAR_WIDTH = 20
_SHOWN_RUNS = 3
_SHOWN_DIGITS = 12
#: What a row of the table begins with: number, place and head.
_BEFORE_BARS = 25
_LONGEST_HEAD = 20


def series_block(result: SeriesResult, *, bar: str = "█", width: int = USUAL_WIDTH) -> str:
    """Render a series for people.

    Args:
        result: Of the series.
        bar: What the bars of probabilities are made of.
        width: Characters of a line; only a path may be longer.
    """
    path = f"  {shown_name(source_of(result))}"
    head = wrapped([f"series {result.number}: {taken_for(result)}"], width)
    lines = [f"  {finding_words(result)}"]
    if result.rule:
        lines.append(f"  rule: {result.rule}")
    lines.append(f"  {_counts(result)}")
    lines += [f"  {_run(run, result)}" for run in result.runs[:_SHOWN_RUNS]]
    if len(result.runs) > _SHOWN_RUNS:
        lines.append(f"  and {counted(len(result.runs) - _SHOWN_RUNS, 'shorter run')}")
    lines += [f"  note: {shown_name(warning)}" for warning in result.warnings]
    lines.append("")
    only = result.slices[0].outcome if len(result.slices) == 1 else None
    if only is not None and only.prediction is not None:
        first, *rest = text_block(only.prediction, bar=bar).split("\n")
        table = [
            f"  {first}",
            *wrapped([f"  {line}" for line in rest], width),
        ]  # the first names the file
    else:
        table = list(wrapped(_table(result, bar), width, indent=_BEFORE_BARS))
    return "\n".join(line.rstrip() for line in [*head, path, *wrapped(lines, width), *table])


def series_words(result: SeriesResult) -> str:
    """Say which series it is: the end of its identifier, or the name of its file where it has none."""
    uid = result.series_instance_uid
    if not uid:
        return shown_name(PurePath(source_of(result).rpartition("!")[2]).name or ".")
    return f"Series {uid if len(uid) <= _SHOWN_DIGITS else f'…{uid[-_SHOWN_DIGITS:]}'}"


def taken_for(result: SeriesResult) -> str:
    """Say what a series is taken for, in a line."""
    plane = result.plane or "plane unknown"
    parts = [plane, sequence_words(result), counted(len(result.slices), "slice")]
    step = _step(result.slices)
    if step:
        parts.append(step)
    return ", ".join(parts)


def sequence_words(result: SeriesResult) -> str:
    """Say which sequence a series is taken for, why, and what is known of a contrast agent."""
    guess = result.sequence
    named = "sequence unknown" if guess.name == "unknown" else f"taken for {guess.name}"
    why = f" ({'; '.join(guess.reasons)})" if guess.reasons else ""
    return f"{named}{why}, {_CONTRAST[guess.contrast]}"


def finding_name(result: SeriesResult) -> str:
    """Say what the rule says of a series, in two words."""
    return (_FINDINGS if result.classes.is_brain else _OTHER_FINDINGS)[result.finding]


def finding_words(result: SeriesResult) -> str:
    """Say what the rule says of a series, in a line."""
    words = finding_name(result)
    if result.reasons:
        words = f"{words} ({', '.join(reason.value for reason in result.reasons)})"
    elif result.label:
        words = f"{words}: {shown_name(result.label)}"
    if result.score is None:
        return words
    where = "" if result.scored is None else f", {_slices(*result.scored)}"
    return f"{words}; score {result.score:.3f}{where}"


def _step(answers: Sequence[SliceAnswer]) -> str:
    """Say how far apart slices usually lie; nothing where that is unknown, or several lie at one place."""
    places = [one.slice.geometry.position_mm for one in answers if one.slice.geometry]
    steps = steps_mm(places)
    if len(places) < len(answers) or not steps or 0 in steps:
        return ""
    return f"{usual_step_mm(places):.4g} mm apart"


def _counts(result: SeriesResult) -> str:
    states = Counter(one.state for one in result.slices)
    asked = [one for one in result.slices if one.state is SliceState.CLASSIFIED]
    accepted = [one for one in asked if _prediction_is_accepted(one)]
    called = Counter(
        one.outcome.prediction.label for one in accepted if one.outcome and one.outcome.prediction
    )
    named = ", ".join(f"{shown_name(label)} {count}" for label, count in called.most_common())
    parts = [f"{len(asked)} classified: {len(accepted)} accepted{f' ({named})' if named else ''}"]
    parts.append(f"{len(asked) - len(accepted)} abstained")
    if states[SliceState.END_SLICE]:
        parts.append(f"{counted(states[SliceState.END_SLICE], 'end slice')} not asked")
    if states[SliceState.FAILED]:
        parts.append(f"{states[SliceState.FAILED]} failed")
    return "; ".join(parts)


def _prediction_is_accepted(one: SliceAnswer) -> bool:
    return bool(one.outcome and one.outcome.prediction and one.outcome.prediction.is_accepted)


def _run(run: Run, result: SeriesResult) -> str:
    where = _slices(run.first, run.last)
    first, last = (result.slices[n - 1].slice.geometry for n in (run.first, run.last))
    if first is None or last is None:
        return f"called {shown_name(run.label)}: {where}"
    at = f"{first.position_mm:.1f}"
    if run.first != run.last:
        at = f"{at} to {last.position_mm:.1f}"
    return f"called {shown_name(run.label)}: {where}, at {at} mm"


def _slices(first: int, last: int) -> str:
    return f"slice {first}" if first == last else f"slices {first} to {last}"


def _table(result: SeriesResult, bar: str) -> Iterator[str]:
    yield f"  slice  position  head  {_bar_head(result)}"
    is_end = [(one.state is SliceState.END_SLICE, one) for one in result.slices]
    for ends, group in groupby(is_end, key=lambda pair: pair[0]):
        members = [one for _, one in group]
        if ends and len(members) > 1:
            yield f"  {_places(members)}  end slices, too little head to be asked"
            continue
        for one in members:
            yield f"  {_row(one, bar)}"


def _bar_head(result: SeriesResult) -> str:
    """Say whose probability the bars show."""
    if result.classes.is_brain:
        return "tumour"
    negative = result.classes.negative
    return "score" if negative is None else f"not {negative}"[:_LONGEST_HEAD]


def _places(members: Sequence[SliceAnswer]) -> str:
    first, last = members[0], members[-1]
    numbers = f"{first.number}-{last.number}"
    shares = [one.head_share or 0.0 for one in members]
    return f"{numbers:>5}  {'':>8}  {max(shares):>4.0%}"


def _row(one: SliceAnswer, bar: str) -> str:
    place = "" if one.slice.geometry is None else f"{one.slice.geometry.position_mm:.1f}"
    share = "" if one.head_share is None else f"{one.head_share:.0%}"
    start = f"{one.number:>5}  {place:>8}  {share:>4}"
    if one.state is SliceState.END_SLICE:
        return f"{start}  end slice, too little head to be asked"
    prediction = one.outcome.prediction if one.outcome else None
    if prediction is None:
        code = one.outcome.error.code if one.outcome and one.outcome.error else "no answer"
        return f"{start}  failed: {code}"
    present = prediction.positive_probability
    shown = prediction.score if present is None else present
    bars = bar * round(shown * _BAR_WIDTH)
    named = shown_name(prediction.label)
    if not prediction.is_accepted:
        named = f"{prediction.decision_words}, nearest {named}"
    return f"{start}  {shown:>6.1%}  {bars:<{_BAR_WIDTH}}  {named} {prediction.score:.1%}"
