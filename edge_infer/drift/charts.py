"""Drawings of the page, as SVG within it: where the values lie, before and now."""

from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["boxes", "share_bars"]

_WIDTH, _LEFT = 220, 4


def boxes(quantiles: Mapping[str, Any]) -> str:
    """Draw two boxes, the reference above and the window below: 5 % to 95 %, 25 % to 75 %, and the median."""
    sides = quantiles["reference"], quantiles["window"]
    least, most = min(map(min, sides)), max(map(max, sides))
    scale = (_WIDTH - 2 * _LEFT) / ((most - least) or 1.0)
    marks = []
    for side, values, y in (("old", sides[0], 9), ("new", sides[1], 25)):
        low, first, middle, third, high = (_LEFT + scale * (value - least) for value in values)
        marks.append(f'<path class="whisker {side}" d="M{low:.1f} {y}H{high:.1f}"/>')
        marks.append(
            f'<rect class="box {side}" x="{first:.1f}" y="{y - 5}" width="{max(1.0, third - first):.1f}" height="10"/>'
        )
        marks.append(f'<path class="middle {side}" d="M{middle:.1f} {y - 7}v14"/>')
    said = "; ".join(
        f"{name}: 5 % {values[0]:.4g}, median {values[2]:.4g}, 95 % {values[4]:.4g}"
        for name, values in zip(("before", "now"), sides, strict=True)
    )
    return (
        f'<svg class="spread" viewBox="0 0 {_WIDTH} 34" role="img" aria-label="{escape(said)}">'
        f"{''.join(marks)}</svg>"
    )


def share_bars(reference: float, window: float) -> str:
    """Draw two bars, the reference above and the window below."""
    said = f"before {100 * reference:.1f} %, now {100 * window:.1f} %"
    bars = "".join(
        f'<rect class="box {side}" x="0" y="{y}" width="{max(0.5, 100 * share):.1f}" height="5"/>'
        for side, share, y in (("old", reference, 1), ("new", window, 8))
    )
    return f'<svg class="bars" viewBox="0 0 100 14" role="img" aria-label="{said}">{bars}</svg>'
