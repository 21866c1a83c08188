"""The page's charts as SVG: drawn in the page's own colours, so that they follow its dark and light."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["accepted_bars", "reliability_chart", "risk_chart"]

_WIDTH, _HEIGHT = 360, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 22, 12, 44
_LETTERS = 26  # of a set's name, beside its kind and its share
_BAR, _NAME = 34, 14  # height of a row of bars, and of its name above
_AT_LEAST = 0.02  # of the risk's axis

Figure = Mapping[str, Any]
Point = tuple[float, float]


def risk_chart(part: Mapping[str, Any]) -> str:
    """Draw the share that is wrong among the surest images, and where the bundle's own decision lies."""
    curve: list[Point] = [(x, y) for x, y in part["selective"]["curve"]]
    decisions = part["decisions"]
    accepted, accuracy = decisions["accepted"], decisions["accuracy_among_accepted"]
    own: Point | None = None
    if accuracy["value"] is not None:
        own = (accepted["value"], 1 - accuracy["value"])
    top = max(_AT_LEAST, *(risk for _, risk in curve), own[1] if own else 0.0)
    top = _nice(top * 1.1)
    said = (
        f"Share wrong among the surest images. Of all: {100 * curve[-1][1]:.1f} %; "
        f"of the surest 80 %: {100 * curve[79][1]:.1f} %."
    )
    marks = []
    if own is not None:
        said += (
            f" The bundle accepts {100 * own[0]:.1f} %, of which {100 * own[1]:.1f} % are wrong."
        )
        x, y = _place(own, top)
        marks.append(f'<circle class="own" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
    axes = _axes(top, "share of images answered", "share wrong among them")
    return _svg("Risk against coverage", said, [*axes, _line(curve, top), *marks], _HEIGHT)


def reliability_chart(part: Mapping[str, Any]) -> str:
    """Draw accuracy against confidence in bins of equal size."""
    bins = part["calibration"]["bins"]
    points = [(it["confidence"], it["accuracy"]) for it in bins]
    dots = [
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        for x, y in (_place(point, 1.0) for point in points)
    ]
    (x0, y0), (x1, y1) = _place((0, 0), 1.0), _place((1, 1), 1.0)
    diagonal = f'<path class="ideal" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'
    ece = part["calibration"]["ece"]
    said = (
        f"Accuracy against confidence in {len(bins)} bins of equal size. "
        f"Mean gap (ECE): {100 * ece['value']:.1f} percentage points."
    )
    axes = _axes(1.0, "mean confidence of the bin", "accuracy of the bin")
    return _svg("Reliability", said, [*axes, diagonal, _line(points, 1.0), *dots], _HEIGHT)


def accepted_bars(rows: Sequence[tuple[str, str, Figure]]) -> str:
    """Draw the share that is accepted of the part and of each set.

    Args:
        rows: Name, kind (``part``, ``far``, ...) and figure of each.
    """
    left, width = 4, _WIDTH - 8
    parts, said = [], []
    for row, (own_name, kind, figure) in enumerate(rows):
        name = _short(own_name)
        if kind != "part":
            name += f" ({kind})"  # not told by colour alone
        top = 6 + row * _BAR
        value, low, high = (float(figure[key]) for key in ("value", "low", "high"))
        words = f"{100 * value:.1f} % ({100 * low:.0f} to {100 * high:.0f})"
        middle = top + _NAME + 6
        x0, x1 = left + low * width, left + high * width
        parts += [
            f'<text class="name" x="{left}" y="{top + 9}">{escape(name)}</text>',
            f'<text class="value" x="{left + width}" y="{top + 9}" text-anchor="end">{words}</text>',
            f'<rect class="track" x="{left}" y="{top + _NAME}" width="{width}" height="12"/>',
            f'<rect class="bar {escape(kind)}" x="{left}" y="{top + _NAME}" width="{value * width:.1f}" height="12"/>',
            f'<path class="whisker" d="M{x0:.1f} {middle}H{x1:.1f}M{x0:.1f} {middle - 3}v6M{x1:.1f} {middle - 3}v6"/>',
        ]
        said.append(f"{name}: {words}")
    height = 12 + _BAR * len(rows)
    return _svg("Share accepted by the bundle", "; ".join(said) + ".", parts, height)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _axes(top: float, across: str, up: str) -> list[str]:
    parts = []
    for step in range(6):
        share = step / 5
        x, y = _place((share, share * top), top)
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts += [
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(share * top)}</text>',
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{_tick(share)}</text>',
        ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    height = (_TOP + _HEIGHT - _BOTTOM) / 2
    return [
        *parts,
        f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{across}</text>',
        f'<text transform="translate(13 {height}) rotate(-90)" text-anchor="middle">{up}</text>',
    ]


def _line(points: Iterable[Point], top: float) -> str:
    places = (f"{x:.1f} {y:.1f}" for x, y in (_place(point, top) for point in points))
    return f'<path class="line" d="M{"L".join(places)}"/>'


def _place(point: Point, top: float) -> Point:
    """Return where a point lies in the drawing."""
    return (
        _LEFT + point[0] * (_WIDTH - _LEFT - _RIGHT),
        _HEIGHT - _BOTTOM - point[1] / top * (_HEIGHT - _TOP - _BOTTOM),
    )


def _tick(share: float) -> str:
    return f"{100 * share:.3g} %"


def _nice(value: float) -> float:
    """Round the end of an axis up to a number whose fifths are short."""
    steps = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0)
    return next((step for step in steps if step >= value), 1.0)


def _svg(title: str, said: str, parts: Iterable[str], height: int) -> str:
    """Wrap a drawing with what a screen reader says of it."""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(f"{title}. {said}")}">'
        f"{''.join(parts)}</svg>"
    )
