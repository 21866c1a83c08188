"""A baseline: quantiles, shares and points of projected embeddings of many images.

``edge_infer.drift`` fits one and compares results with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Baseline", "Part", "Points", "Share"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many images were what.

    Attributes:
        counts: By category.
        effective_n: As many independent images would be as telling as these, of which several are of one patient.
    """

    counts: Mapping[str, int]
    effective_n: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All images of a baseline, or some that have something in common.

    Attributes:
        by: What they have in common: ``label``, ``plane`` or ``device``; None for all images.
        name: Which one; None for all images.
        n: Number of images.
        quantiles: By measure, rising, each as likely as the next; the images' own values where they are few.
        effective_n: By measure, see ``Share``.
        shares: By kind: ``label``, ``decision``, ``reason``.
    """

    by: str | None
    name: str | None
    n: int
    quantiles: Mapping[str, _Floats] = field(repr=False)
    effective_n: Mapping[str, float] = field(repr=False)
    shares: Mapping[str, Share] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Embeddings of some images, projected to few numbers.

    Attributes:
        projection: Name of the projection.
        values: float64, (P, dims).
        labels: int64, (P,), class ids that the images got.
        effective_n: See ``Share``.
    """

    projection: str
    values: _Floats = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    effective_n: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What results are compared with.

    Attributes:
        source: What the images were, in words.
        n: How many.
        groups: Of how many patients; an image of an unknown one counts as one.
        labels: Of the bundle.
        parts: All images first.
        points: None where there are none.
    """

    source: str
    n: int
    groups: int
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    points: Points | None

    def part(self, by: str | None, name: str | None) -> Part | None:
        """Return the images that have this in common; None if they are not known."""
        return next((one for one in self.parts if (one.by, one.name) == (by, name)), None)
