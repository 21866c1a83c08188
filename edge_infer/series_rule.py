"""The rule that turns the answers for slices into one score for a series: ``series`` of a bundle's manifest.

"Any slice" does not hold: with an error of 1 % a slice, 78 % of healthy series of 150 slices would have a false alarm.
The score is the largest mean probability of any tumour over neighbouring slices; of other classes, of any but the
negative one. Neighbours are counted in slices and in millimetres, so that a series of thin slices is not judged by two
of them that show nearly the same tissue.
docs/series.md says how the thresholds were chosen, and what was measured.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import Classes
from edge_infer.plain_json import is_number, is_whole
from edge_infer.prediction import softmax
from edge_infer.scope_check import is_text, require

__all__ = ["RULE", "RuleScore", "SeriesRule", "read_series_rule", "score_of"]

RULE = "run-mean"

#: Positions in headers are rounded.
_TOLERANCE_MM = 0.01
_MOST_SLICES, _LONGEST_MM, _MOST_COUNTED, _LARGEST_TEMPERATURE = 1000, 1000.0, 10**9, 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRule:
    """When a series is said to hold evidence of a tumour; of other classes, of any but the negative one.

    Attributes:
        slices: A run has at least as many neighbouring slices.
        length_mm: And reaches at least as far, from the first slice to the last.
        positive: A score above it is evidence.
        negative: A score below it is no evidence; between the two the series abstains.
        temperature: What logits are divided by. The rule has its own, so that its thresholds stay right when those of
            single images are fitted to a site (``brain-refit``).
        planes: Of the volumes that the thresholds were chosen on.
        fitted_on: What these volumes were, in words.
    """

    slices: int
    length_mm: float
    positive: float
    negative: float
    temperature: float
    planes: tuple[str, ...]
    fitted_on: str

    def words(self, classes: Classes) -> str:
        """Return the rule in words.

        Args:
            classes: Of the bundle.
        """
        any_other = "any tumour" if classes.is_brain else f"any class but {classes.negative}"
        evidence = "tumour evidence" if classes.is_brain else "evidence"
        return (
            f"the largest mean probability of {any_other} over {self.slices} or more neighbouring slices "
            f"that reach {self.length_mm:g} mm; above {self.positive:.3f} {evidence}, below "
            f"{self.negative:.3f} none"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScore:
    """What the rule says of the slices of a series.

    Attributes:
        score: 0..1.
        first: Index of the first slice of the run with the largest mean.
        last: Index of its last slice.
        label: The tumour, or the class but for the negative one, with the largest summed probability in that run.
    """

    score: float
    first: int
    last: int
    label: str


def read_series_rule(fields: Mapping[str, Any] | None) -> SeriesRule | None:
    """Check ``series`` of a manifest; that there is a negative class, the bundle checks.

    Args:
        fields: The object; None if the manifest has none.

    Returns:
        None without a rule.

    Raises:
        BundleIncompatible: A field is missing, of another form, or a number that cannot be computed with.
    """
    if fields is None:
        return None
    require(isinstance(fields, dict), "series", fields, "an object or null")
    require(fields.get("rule") == RULE, "series.rule", fields.get("rule"), RULE)
    slices, length = fields.get("slices"), fields.get("length_mm")
    require(is_whole(slices, 1, _MOST_SLICES), "series.slices", slices, "a number of slices")
    require(is_number(length, 0, _LONGEST_MM), "series.length_mm", length, "millimetres")
    for name in ("positive", "negative"):
        require(is_number(fields.get(name), 0, 1), f"series.{name}", fields.get(name), "0..1")
    temperature = fields.get("temperature")
    is_positive = is_number(temperature, 1 / _LARGEST_TEMPERATURE, _LARGEST_TEMPERATURE)
    require(is_positive, "series.temperature", temperature, "a positive number")
    is_ordered = float(fields["negative"]) <= float(fields["positive"])
    require(is_ordered, "series.negative", fields["negative"], "at most series.positive")
    fitted = fields.get("fitted_on")
    found: Mapping[str, Any] = fitted if isinstance(fitted, dict) else {}
    require(is_text(found.get("source")), "series.fitted_on.source", found.get("source"), "a text")
    for name in ("patients", "volumes"):
        is_count = is_whole(found.get(name), 1, _MOST_COUNTED)
        require(is_count, f"series.fitted_on.{name}", found.get(name), "a number")
    planes = found.get("planes")
    is_named = isinstance(planes, list) and len(planes) > 0 and all(map(is_text, planes))
    require(is_named, "series.fitted_on.planes", planes, "a list of planes")
    return SeriesRule(
        slices=int(fields["slices"]),
        length_mm=float(fields["length_mm"]),
        positive=float(fields["positive"]),
        negative=float(fields["negative"]),
        temperature=float(fields["temperature"]),
        planes=tuple(planes or ()),
        fitted_on=f"{found['source']}: {found['volumes']} volumes of {found['patients']} patients",
    )


def score_of(
    logits: NDArray[np.floating[Any]],
    positions_mm: NDArray[np.floating[Any]],
    classes: Classes,
    rule: SeriesRule,
    *,
    gaps: Collection[int] = (),
) -> RuleScore | None:
    """Return the score of a series, or None if no run of its slices is long enough.

    Args:
        logits: float, (N, classes), of the slices with brain, in order of position.
        positions_mm: float, (N,), rising.
        classes: One is the negative class.
        rule: The bundle's.
        gaps: Indices of slices that are no neighbours of the one before: no run reaches over them.

    Raises:
        ValueError: No class is the negative one.
    """
    healthy = classes.negative_id
    if healthy is None:
        raise ValueError("no class is the negative one, and a score is of any other")
    probabilities = softmax(np.asarray(logits), rule.temperature)  # (N, classes)
    tumour = 1.0 - probabilities[:, healthy]  # (N,)
    sums = np.concatenate([[0.0], np.cumsum(tumour)])
    best: tuple[float, int, int] | None = None
    for first, last in _runs(np.asarray(positions_mm, dtype=np.float64), rule, gaps):
        mean = float(sums[last + 1] - sums[first]) / (last + 1 - first)
        if best is None or mean > best[0]:
            best = (mean, first, last)
    if best is None:
        return None
    score, first, last = best
    summed = probabilities[first : last + 1].sum(axis=0)
    summed[healthy] = -np.inf
    score = min(max(score, 0.0), 1.0)  # sums of many slices round
    return RuleScore(score=score, first=first, last=last, label=classes.names[int(summed.argmax())])


def _runs(
    positions: NDArray[np.float64], rule: SeriesRule, gaps: Collection[int]
) -> list[tuple[int, int]]:
    """Return the shortest run that the rule allows from each slice on, as indices of first and last."""
    runs = []
    behind = np.zeros(len(positions) + 1, dtype=np.int64)  # gaps up to each slice
    behind[[index for index in gaps if 0 < index < len(positions)]] = 1
    behind = np.cumsum(behind)
    for first in range(len(positions)):
        far = int(np.searchsorted(positions, positions[first] + rule.length_mm - _TOLERANCE_MM))
        last = max(far, first + rule.slices - 1)
        if last < len(positions) and behind[last] == behind[first]:
            runs.append((first, last))
    return runs
