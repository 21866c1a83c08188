"""The result for one series: what it was taken for, the answer for each slice, and the score with its stated rule."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from edge_infer.classes import BRAIN, Classes
from edge_infer.classifier import Outcome
from edge_infer.errors import BrainError
from edge_infer.scan_slice import Plane, ScanSlice

__all__ = [
    "Finding",
    "Refused",
    "Run",
    "SequenceGuess",
    "SeriesReason",
    "SeriesResult",
    "SliceAnswer",
    "SliceState",
]

#: What the rule says of a series. Neither is a diagnosis. Of classes of one's own, a tumour is any class but the
#: negative one: the names are those that programs know, and text for people says "evidence".
Finding = Literal["tumour_evidence", "no_tumour_evidence", "abstain"]


class SliceState(StrEnum):
    """What became of a slice."""

    CLASSIFIED = "classified"
    """It was asked; the outcome holds its answer."""
    END_SLICE = "end_slice"
    """It shows too little head beside the largest slice, so it was not asked."""
    FAILED = "failed"
    """Its pixels could not be read, or the model failed on it."""


class SeriesReason(StrEnum):
    """Why a series abstains; its value is what JSON shows."""

    NO_RULE = "no_series_rule"
    """The bundle has no rule for series, or no negative class, which a rule needs: counts only."""
    TOO_FEW_SLICES = "too_few_slices"
    """Fewer slices with brain than the rule needs."""
    SEVERAL_PATIENTS = "several_patients"
    """Files under its identifiers name another patient, too."""
    OTHER_SEQUENCE = "other_sequence"
    """The header says another sequence than the model learnt."""
    UNKNOWN_POSITIONS = "unknown_positions"
    """The header does not say where the slices lie, or two lie at one place."""
    OUT_OF_SCOPE = "out_of_scope"
    """Most of its slices are not accepted."""
    FAILED_SLICES = "failed_slices"
    """Slices that may hold brain could not be read, so a tumour may have been missed."""
    MISSING_SLICES = "missing_slices"
    """A slice beside a gap is called a tumour, and its neighbour, which could bear it out, is missing."""
    AMBIGUOUS = "ambiguous"
    """The score lies between the thresholds of the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceGuess:
    """Which sequence a series is taken for.

    Attributes:
        name: ``t1``, ``t2``, ``flair``, ``dwi``, ``epi``, ``other`` or ``unknown``.
        reasons: What in the header says so; no free text of it.
        contrast: ``stated`` by the header's agent, ``described`` in its text, or ``unknown``. Never "without": headers
            do not say so reliably.
    """

    name: str
    reasons: tuple[str, ...]
    contrast: Literal["stated", "described", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceAnswer:
    """A slice of a series, and what became of it.

    Attributes:
        slice: The slice.
        number: From 1, in the order of the series.
        state: See ``SliceState``.
        head_share: Area of the head over that of the largest slice of the series, 0..1; None if it could not be read.
        grey: By which rule its values became grey; empty if it could not be read.
        outcome: Of a slice that was classified or failed.
        warnings: What to know about it.
    """

    slice: ScanSlice
    number: int
    state: SliceState
    head_share: float | None
    grey: str
    outcome: Outcome | None = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Neighbouring slices that are all called the same tumour; of other classes, the same but for the negative one.

    Attributes:
        label: The class.
        first: Number of the first slice.
        last: Number of the last slice.
        length_mm: From the first slice to the last; None without positions.
    """

    label: str
    first: int
    last: int
    length_mm: float | None

    @property
    def slices(self) -> int:
        """How many there are, as numbered."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that was found beside the slices, and why it is not read.

    Attributes:
        name: As in the folder or archive.
        error: Why.
        is_archive: It is an archive within an archive, which nobody expects to be read.
    """

    name: str
    error: BrainError
    is_archive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesResult:
    """The result for one series. Research use only; not for diagnosis.

    Attributes:
        number: From 1, in the order of the study's series.
        study_instance_uid: Empty where there is none.
        series_instance_uid: Empty where there is none.
        plane: Of all slices; None if unknown or mixed.
        sequence: What it is taken for.
        slices: All slices, in order of position.
        runs: Of slices called the same tumour, longest first.
        label: The tumour that the score speaks of; empty without evidence.
        score: By the rule; None without one.
        rule: The rule and its thresholds in words; empty without one.
        finding: What the rule says.
        reasons: Why it abstains; empty otherwise.
        warnings: What to know about the series.
        scored: Numbers of the first and the last slice of the run that the score is of; None without a score.
        classes: That the model tells apart.
    """

    number: int
    study_instance_uid: str
    series_instance_uid: str
    plane: Plane | None
    sequence: SequenceGuess
    slices: tuple[SliceAnswer, ...]
    runs: tuple[Run, ...]
    label: str
    score: float | None
    rule: str
    finding: Finding
    reasons: tuple[SeriesReason, ...] = ()
    warnings: tuple[str, ...] = ()
    scored: tuple[int, int] | None = None
    classes: Classes = BRAIN

    @property
    def classified(self) -> tuple[SliceAnswer, ...]:
        """The slices that have an answer."""
        return tuple(one for one in self.slices if one.state is SliceState.CLASSIFIED)
