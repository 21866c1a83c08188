"""Drawings of the page, as SVG within it: probabilities old against new, how far they moved, and reliability."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.comparison.pairs import Pairs

__all__ = ["positive_scatter", "reliability", "scatter", "shift_histogram"]

_SIDE, _LEFT, _TOP, _ROOM = 300, 46, 10, 42
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: More dots cannot be told apart, and make the page slow.
_DOTS = 3000


def scatter(pairs: Pairs) -> str:
    """Draw a dot for each image: the probability of its old answer, by the old bundle and by the new one."""
    rows = np.arange(len(pairs))
    old = pairs.old.probabilities[rows, pairs.old.labels]
    new = pairs.new.probabilities[rows, pairs.old.labels]
    return _scatter(pairs, old, new, "probability of the old answer")


def positive_scatter(pairs: Pairs) -> str:
    """Draw a dot for each image: the probability of any class but the negative one; empty without such a class."""
    negative = pairs.classes.negative_id
    if negative is None:
        return ""
    old, new = (1 - side.probabilities[:, negative] for side in (pairs.old, pairs.new))
    return _scatter(pairs, old, new, f"probability of any class but {pairs.classes.negative}")


def reliability(bins: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Draw accuracy over confidence in bins of equal size, one line for each bundle."""
    marks = []
    for side in ("old", "new"):
        points = " ".join(
            f"{_x(one['confidence']):.1f},{_y(one['accuracy']):.1f}" for one in bins[side]
        )
        marks.append(f'<polyline class="line {side}" points="{points}"/>')
        marks += [
            f'<circle class="{side}" cx="{_x(one["confidence"]):.1f}" cy="{_y(one["accuracy"]):.1f}" r="3.4"/>'
            for one in bins[side]
        ]
    return _square(
        "Reliability: accuracy over confidence, old and new", "confidence", "accuracy", marks
    )


def shift_histogram(histogram: Mapping[str, Any]) -> str:
    """Draw how many images have which largest difference of a probability."""
    edges, counts = histogram["edges"], histogram["counts"]
    most, step = max(1, *counts), 30
    height = step * len(counts) + 8
    rows = []
    for number, count in enumerate(counts):
        y, width = 4 + step * number, 230 * count / most
        words = f"{edges[number]:g} to {edges[number + 1]:g}"
        rows.append(f'<text x="86" y="{y + 17}" text-anchor="end">{words}</text>')
        rows.append(
            f'<rect class="bar" x="94" y="{y + 3}" width="{width:.1f}" height="{step - 8}"/>'
        )
        rows.append(f'<text x="{100 + width:.1f}" y="{y + 17}">{count}</text>')
    said = "; ".join(f"{edges[n]:g} to {edges[n + 1]:g}: {count}" for n, count in enumerate(counts))
    return (
        f'<svg viewBox="0 0 380 {height}" role="img" aria-label="Images by largest difference of a probability: '
        f'{escape(said)}">{"".join(rows)}</svg>'
    )


def _scatter(pairs: Pairs, old: NDArray[np.float64], new: NDArray[np.float64], what: str) -> str:
    rows = np.arange(len(pairs))
    if len(rows) > _DOTS:
        rows = np.union1d(rows[:: len(rows) // _DOTS + 1], np.flatnonzero(pairs.flipped))
    marks = []
    for row in sorted(rows.tolist(), key=lambda row: bool(pairs.flipped[row])):
        x, y = _x(float(old[row])), _y(float(new[row]))
        marks.append(
            f'<path class="flip" d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'
            if pairs.flipped[row]
            else f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
        )
    label = (
        f"{what}, old against new, for {len(pairs)} images; {int(pairs.flipped.sum())} changed label, "
        "drawn as crosses"
    )
    return _square(label, f"{what}, old", f"{what}, new", marks)


def _square(label: str, across: str, upwards: str, marks: Sequence[str]) -> str:
    width, height = _LEFT + _SIDE + 12, _TOP + _SIDE + _ROOM
    parts = [*_axes(), *marks]
    middle = _LEFT + _SIDE / 2
    parts.append(
        f'<text x="{middle}" y="{height - 6}" text-anchor="middle">{escape(across)}</text>'
    )
    parts.append(
        f'<text transform="translate(11 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">{escape(upwards)}</text>'
    )
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _axes() -> Iterator[str]:
    for tick in _TICKS:
        x, y = _x(tick), _y(tick)
        yield f'<path class="grid" d="M{x} {_TOP}V{_TOP + _SIDE}M{_LEFT} {y}H{_LEFT + _SIDE}"/>'
        yield f'<text class="value" x="{x}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{tick:g}</text>'
        yield f'<text class="value" x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
    yield f'<path class="ideal" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>'


def _x(share: float) -> float:
    return _LEFT + _SIDE * share


def _y(share: float) -> float:
    return _TOP + _SIDE * (1 - share)
