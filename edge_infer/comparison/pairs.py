"""The images that both bundles answered, as arrays: what all figures are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import Classes
from edge_infer.comparison.answers import Answer, Case
from edge_infer.figures.intervals import GroupBootstrap
from edge_infer.figures.shares import grouped_share

__all__ = ["Answers", "Pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one bundle says about N images.

    Attributes:
        labels: int64, (N,), class ids.
        probabilities: float64, (N, classes).
        accepted: bool, (N,).
        out_of_scope: bool, (N,).
        is_scoped: Whether the bundle checks the scope.
        reasons: N tuples of why not.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    out_of_scope: NDArray[np.bool_]
    is_scoped: bool
    reasons: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, answers: Sequence[Answer], classes: int) -> Self:
        """Stack answers."""
        probabilities = np.array([one.probabilities for one in answers], dtype=np.float64)
        return cls(
            labels=np.array([one.label for one in answers], dtype=np.int64),
            probabilities=probabilities.reshape(len(answers), classes),
            accepted=np.array([one.is_accepted for one in answers], dtype=np.bool_),
            out_of_scope=np.array([one.is_out_of_scope for one in answers], dtype=np.bool_),
            is_scoped=any(one.is_scoped for one in answers),
            reasons=tuple(one.reasons for one in answers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """N images with two answers each.

    Attributes:
        classes: In the order of the class ids.
        cases: N.
        old: What the old bundle says.
        new: What the new one says.
        truth: int64, (N,); -1 where it is not known.
        bootstrap: Of the N images, by group.
        groups: int64, (N,), number of each image's group.
    """

    classes: Classes
    cases: tuple[Case, ...] = field(repr=False)
    old: Answers = field(repr=False)
    new: Answers = field(repr=False)
    truth: NDArray[np.int64] = field(repr=False)
    bootstrap: GroupBootstrap = field(repr=False)
    groups: NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(cls, cases: Sequence[Case], classes: Classes) -> Self:
        """Take the images that both answered.

        Args:
            cases: All.
            classes: Of the old bundle.
        """
        kept: list[Case] = []
        old: list[Answer] = []
        new: list[Answer] = []
        for case in cases:
            if case.old is not None and case.new is not None:
                kept.append(case)
                old.append(case.old)
                new.append(case.new)
        bootstrap = GroupBootstrap(len(kept), groups=[case.group for case in kept])
        return cls(
            classes=classes,
            cases=tuple(kept),
            old=Answers.of(old, len(classes)),
            new=Answers.of(new, len(classes)),
            truth=np.array(
                [-1 if case.truth is None else case.truth for case in kept], dtype=np.int64
            ),
            bootstrap=bootstrap,
            groups=bootstrap.groups,
        )

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def everywhere(self) -> NDArray[np.bool_]:
        """bool, (N,), all true."""
        return np.ones(len(self), dtype=np.bool_)

    @property
    def both_accepted(self) -> NDArray[np.bool_]:
        """bool, (N,), where both accept."""
        return self.old.accepted & self.new.accepted

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """bool, (N,), where the label changed."""
        return np.not_equal(self.old.labels, self.new.labels)

    def groups_among(self, among: NDArray[np.bool_]) -> int:
        """Return how many different groups some images are of."""
        return len(np.unique(self.groups[among]))

    def share(self, counted: NDArray[np.bool_], among: NDArray[np.bool_]) -> dict[str, Any]:
        """Return how many of some images are counted: with the number, n, groups, and an interval that spans three.

        See ``edge_infer.figures.shares``.
        """
        return grouped_share(counted, among, self.bootstrap)
