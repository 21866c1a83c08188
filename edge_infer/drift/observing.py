"""Answers, and answers as arrays: what is compared, and nothing else; no name and no pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.drift.image_facts import FACT_WORDS

__all__ = ["MEASURES", "NO_REASON", "Answer", "Observations"]

#: What is measured of each image, and what it is in words.
MEASURES: Mapping[str, str] = {
    "doubt": "1 - probability of the answer",
    "entropy": "entropy of the probabilities, 0 to 1",
    "scope_score": "distance from the training images",
    **FACT_WORDS,
}

NO_REASON = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of one image that was answered.

    Attributes:
        probabilities: By class, in the bundle's order.
        label: The most probable class.
        decision: ``accept`` or ``abstain``.
        reasons: Why it abstains.
        scope_score: None where it was not computed.
        facts: As ``image_facts`` gives them; None where they were not kept.
        embedding: As the graph gave it; None where it was not kept.
        plane: Empty where unknown.
        device: Empty where unknown.
        series: What slices of one series share; empty where unknown.
        key: Tells the images of a series apart; of each series, one is drawn by its hash.
    """

    probabilities: Sequence[float]
    label: str
    decision: str
    reasons: Sequence[str] = ()
    scope_score: float | None = None
    facts: Sequence[float] | None = None
    embedding: NDArray[np.floating[Any]] | None = field(default=None, repr=False)
    plane: str = ""
    device: str = ""
    series: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """N images.

    Attributes:
        values: float16, (N, measures) in the order of MEASURES; NaN where there is none.
        labels: The answers' classes.
        decisions: ``accept`` or ``abstain``.
        reasons: The first reason, or ``none``.
        planes: Empty where unknown.
        devices: Empty where unknown.
        points: float16, (N, 25), projected embeddings; NaN where there is none.
        answered: Images that were answered, those left out included.
        of_series: How many of the N are of a known series, each one of another.
    """

    values: NDArray[np.float16] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    decisions: tuple[str, ...] = field(repr=False)
    reasons: tuple[str, ...] = field(repr=False)
    planes: tuple[str, ...] = field(repr=False)
    devices: tuple[str, ...] = field(repr=False)
    points: NDArray[np.float16] = field(repr=False)
    answered: int
    of_series: int

    def __len__(self) -> int:
        return len(self.labels)

    def named(self, by: str) -> tuple[str, ...]:
        """Return what each image is of: ``label``, ``plane``, ``device``, ``decision`` or ``reason``."""
        columns = {
            "label": self.labels,
            "plane": self.planes,
            "device": self.devices,
            "decision": self.decisions,
            "reason": self.reasons,
        }
        return columns[by]
