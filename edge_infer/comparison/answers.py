"""What both bundles say about one image, and about one series."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_infer.prediction import Prediction
from edge_infer.reasons import Reason

__all__ = ["Answer", "Case", "SeriesPair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is kept of a prediction.

    Attributes:
        label: Class id, in the order of the old bundle.
        probabilities: float64, (classes,), in the same order.
        is_accepted: Whether the decision is to accept.
        reasons: Why not.
        is_scoped: Whether the bundle checked the scope.
    """

    label: int
    probabilities: NDArray[np.float64] = field(repr=False)
    is_accepted: bool
    reasons: tuple[str, ...]
    is_scoped: bool

    @classmethod
    def of(cls, prediction: Prediction, labels: tuple[str, ...]) -> Self:
        """Return it in a fixed order of the classes.

        Args:
            prediction: Of either bundle.
            labels: The order; a permutation of the bundle's own labels.
        """
        return cls(
            label=labels.index(prediction.label),
            probabilities=np.array([prediction.probabilities[label] for label in labels]),
            is_accepted=prediction.is_accepted,
            reasons=tuple(reason.value for reason in prediction.reasons),
            is_scoped=prediction.scope_score is not None,
        )

    @property
    def is_out_of_scope(self) -> bool:
        """Whether the scope check found it outside."""
        return Reason.OUT_OF_SCOPE.value in self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image, or a slice of a scan, and what became of it.

    Attributes:
        name: Below the folder of the data, as given.
        group: Images of one group are not independent: copies, slices of one series, or as the table of labels says.
        truth: Class id; None where it is not known.
        old: None if the old bundle gave no answer.
        new: Likewise.
        old_error: Code of the error; empty with an answer.
        new_error: Likewise.
        thumbnail: A small PNG; None where none is wanted.
    """

    name: str
    group: str
    truth: int | None
    old: Answer | None = None
    new: Answer | None = None
    old_error: str = ""
    new_error: str = ""
    thumbnail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPair:
    """The findings on one series.

    Attributes:
        name: Its file or folder, below the folder of the data.
        slices: How many it has.
        old: Finding of the old bundle, as in docs/series.schema.json.
        new: Of the new one.
        old_reasons: Why it abstains.
        new_reasons: Likewise.
        group: As of the cases: series of one patient are not independent. Empty where nothing is known.
    """

    name: str
    slices: int
    old: str
    new: str
    old_reasons: tuple[str, ...] = ()
    new_reasons: tuple[str, ...] = ()
    group: str = field(default="", repr=False)
