"""The measurement groups of a report (TID 1501): one for the series, one for each slice that is shown."""

from collections import Counter
from collections.abc import Iterable

from pydicom.dataset import Dataset

from edge_infer.classes import Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.prediction import SHOWN_CLASSES, Prediction, shown_classes
from edge_infer.reasons import Reason
from edge_infer.series.result import Run, SeriesResult, SliceAnswer, SliceState
from edge_infer.structured.codes import (
    ABSTAINED,
    ACCEPTED,
    Code,
    CodeScheme,
    class_code,
    dcm,
    private,
    reason_code,
)
from edge_infer.structured.items import (
    MODIFIER,
    OBSERVED,
    code,
    container,
    images,
    number,
    text,
    uid_reference,
)
from edge_infer.structured.origin import Origin
from edge_infer.structured.references import references_to
from edge_infer.structured.selection import prediction_of
from edge_infer.structured.source import identity_of

__all__ = ["series_group", "slice_group"]

_FINDING = dcm("121071", "Finding")
_COMMENT = dcm("121106", "Comment")
_SITE = Code("363698007", "SCT", "Finding Site")
_BRAIN = Code("12738006", "SCT", "Brain")
_PROBABILITY = dcm("122157", "Probability")

_DECISION = private("DECISION", "Decision")
_REASON = private("REASON", "Reason not to accept the answer")
_KEPT = private("NOT_EXCLUDED", "Class that cannot be excluded")
_NEAREST = private("NEAREST_CLASS", "Nearest class of an answer that is not accepted")
_SCORE = private("TUMOUR_SCORE", "Tumour evidence score, 0 to 1; not a calibrated probability")
_OTHER_SCORE = private("EVIDENCE_SCORE", "Evidence score, 0 to 1; not a calibrated probability")
_RULE = private("SERIES_RULE", "Rule of the score")
_SCORED = private("SCORED_SLICES", "Slices that the score is of")
_RUN = private("TUMOUR_RUN", "Neighbouring slices called the same tumour")
_OTHER_RUN = private("CLASS_RUN", "Neighbouring slices called the same class")
_TAKEN_FOR = private("TAKEN_FOR", "What the series is taken for")
_SHOWN = private("SLICES_SHOWN", "Slices with a group of their own")
_NUMBER = private("SLICE_NUMBER", "Number of the slice in order of position")
_SLICES = private("SLICES", "Slices")
_CLASSIFIED = private("CLASSIFIED", "Slices classified")
_END = private("END_SLICES", "End slices with little head, not classified")
_FAILED = private("FAILED", "Slices that could not be read or classified")
_UNACCEPTED = private("UNACCEPTED", "Slices whose answer is not accepted")
_CALLED = private("CALLED", "Slices accepted as")
_MOST_RUNS = 5


def series_group(
    result: SeriesResult, shown: str, origin: Origin, codes: CodeScheme, warnings: Iterable[str]
) -> Dataset:
    """Return the group that says what the rule says of the whole series.

    Args:
        result: Of the series.
        shown: Which slices have groups of their own, in words.
        origin: Whose it is.
        codes: Those of the classes.
        warnings: What to know about the series.
    """
    finding, decision = _series_finding(result, codes)
    items = _head("Series", origin.uid("group", "series"), finding)
    items += origin.algorithm.identification(result.rule)
    if result.score is not None:
        below = [text(_RULE, result.rule, relation=MODIFIER)]
        if result.scored is not None:
            where = f"{result.scored[0]} to {result.scored[1]}"
            below.append(text(_SCORED, where, relation=MODIFIER))
        if result.label:
            named = class_code(result.label, result.classes, codes)
            below.insert(0, code(_FINDING, named, relation=MODIFIER))
        concept = _SCORE if result.classes.is_brain else _OTHER_SCORE
        items.append(number(concept, float(result.score), below=below))
    items += _counts(result, codes)
    items.append(code(_DECISION, decision))
    items += [code(_REASON, reason_code(reason.value)) for reason in result.reasons]
    items.append(text(_TAKEN_FOR, _taken_for(result)))
    concept = _RUN if result.classes.is_brain else _OTHER_RUN
    items += [text(concept, _run_words(run)) for run in result.runs[:_MOST_RUNS]]
    items.append(text(_SHOWN, shown))
    items += [text(_COMMENT, warning) for warning in warnings]
    items.append(text(_COMMENT, f"UNVERIFIED. {RESEARCH_USE_ONLY}"))
    asked = references_to(identity_of(answer.slice) for answer in result.classified)
    return container(dcm("125007", "Measurement Group"), [*items, *images(asked)], tid="1501")


def slice_group(answer: SliceAnswer, origin: Origin, codes: CodeScheme) -> Dataset:
    """Return the group of a slice: its class, the probabilities, the decision and the image.

    Of more than ten classes, the probabilities are those of the most probable.
    """
    prediction = prediction_of(answer)
    classes = prediction.classes
    identity = identity_of(answer.slice)
    nearest = class_code(prediction.label, classes, codes)
    finding = nearest if prediction.is_accepted else ABSTAINED
    uid = origin.uid("group", identity.sop_instance_uid, str(identity.frame_number))
    items = _head(f"Slice {answer.number}", uid, finding)
    items += origin.algorithm.identification("")
    items.append(number(_NUMBER, answer.number))
    for label in shown_classes(prediction.probabilities)[0]:
        below = [code(_FINDING, class_code(label, classes, codes), relation=MODIFIER)]
        items.append(number(_PROBABILITY, float(prediction.probabilities[label]), below=below))
    items.append(code(_DECISION, ACCEPTED if prediction.is_accepted else ABSTAINED))
    if not prediction.is_accepted:
        items.append(code(_NEAREST, nearest))
    items += [code(_REASON, reason_code(reason.value)) for reason in prediction.reasons]
    items += [code(_KEPT, class_code(label, classes, codes)) for label in _kept(prediction)]
    return container(
        dcm("125007", "Measurement Group"), [*items, *images(references_to([identity]))], tid="1501"
    )


def _head(tracking: str, uid: str, finding: Code) -> list[Dataset]:
    return [
        text(dcm("112039", "Tracking Identifier"), tracking, relation=OBSERVED),
        uid_reference(dcm("112040", "Tracking Unique Identifier"), uid),
        code(_FINDING, finding),
        code(_SITE, _BRAIN, relation=MODIFIER),
    ]


def _series_finding(result: SeriesResult, codes: CodeScheme) -> tuple[Code, Code]:
    """Return finding and decision; a tumour is named only where the rule says that there is evidence of one."""
    if result.finding == "tumour_evidence" and result.label:
        return class_code(result.label, result.classes, codes), ACCEPTED
    if result.finding == "no_tumour_evidence":
        return class_code(_negative(result.classes), result.classes, codes), ACCEPTED
    return ABSTAINED, ABSTAINED


def _negative(classes: Classes) -> str:
    if classes.negative is None:  # the bundle has no rule then, and the series no finding
        raise ValueError("no class says that nothing is there")
    return classes.negative


def _counts(result: SeriesResult, codes: CodeScheme) -> list[Dataset]:
    states = Counter(answer.state for answer in result.slices)
    predictions = [prediction_of(answer) for answer in result.classified]
    called = Counter(one.label for one in predictions if one.is_accepted)
    labels = [
        label
        for label in dict.fromkeys(label for one in predictions for label in one.probabilities)
        if len(result.classes) <= SHOWN_CLASSES or called[label]
    ]
    return [
        number(_SLICES, len(result.slices)),
        number(_CLASSIFIED, states[SliceState.CLASSIFIED]),
        number(_END, states[SliceState.END_SLICE]),
        number(_FAILED, states[SliceState.FAILED]),
        number(_UNACCEPTED, sum(not one.is_accepted for one in predictions)),
        *(
            number(
                _CALLED,
                called[label],
                below=[code(_FINDING, class_code(label, result.classes, codes), relation=MODIFIER)],
            )
            for label in labels
        ),
    ]


def _taken_for(result: SeriesResult) -> str:
    guess = result.sequence
    why = f"; {', '.join(guess.reasons)}" if guess.reasons else ""
    plane = result.plane or "plane unknown or mixed"
    return f"{plane}; sequence {guess.name}; contrast agent {guess.contrast}{why}"


def _run_words(run: Run) -> str:
    length = "" if run.length_mm is None else f", {run.length_mm:.1f} mm"
    return f"{run.label}: slices {run.first} to {run.last}{length}"


def _kept(prediction: Prediction) -> tuple[str, ...]:
    """Return the prediction set where it says anything: the calibration behind it knows no image out of scope."""
    return () if Reason.OUT_OF_SCOPE in prediction.reasons else prediction.prediction_set
