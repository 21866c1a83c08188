"""The drawing of throughput: the area is SVG that takes any width, the words beside it are text of the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edge_infer.html_page.parts import cell

__all__ = ["span", "throughput_chart"]

_HEIGHT = 100
_STEPS = 4


def throughput_chart(throughput: Mapping[str, Any]) -> str:
    """Draw units a second over the time worked; a dashed line where the run was interrupted."""
    rates: Sequence[float] = throughput["rates"]
    worked, overall = throughput["worked_seconds"], throughput["units_per_second"]
    top = _round_above(max(*rates, overall))
    ys = [_HEIGHT * (1 - rate / top) for rate in rates]
    steps = "".join(f"L{x} {y:.2f}H{x + 1}" for x, y in enumerate(ys))
    lines = "".join(
        f'<path class="grid" d="M0 {_HEIGHT * step / _STEPS:g}H{len(rates)}"/>'
        for step in range(_STEPS)
    )
    pauses = "".join(
        f'<path class="pause" d="M{len(rates) * min(1, one["after_seconds"] / worked):.2f} 0V{_HEIGHT}"/>'
        for one in throughput["pauses"]
    )
    mean = _HEIGHT * (1 - overall / top)
    said = (
        f"Units a second over {span(worked)} of work: {overall:,.1f} on the whole, "
        f"{min(rates):,.1f} to {max(rates):,.1f} in parts of it"
    )
    marks = [f"<span>{_tick(top * step / _STEPS)}</span>" for step in range(_STEPS, -1, -1)]
    times = [f"<span>{cell(time)}</span>" for time in _times(worked)]
    return (
        f'<div class="chart"><div class="upwards">{"".join(marks)}</div>'
        f'<svg viewBox="0 0 {len(rates)} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{cell(said)}">'
        f'{lines}<path class="area" d="M0 {_HEIGHT}{steps}V{_HEIGHT}Z"/>'
        f'<path class="mean" d="M0 {mean:.2f}H{len(rates)}"/>{pauses}</svg>'
        f'<div class="across">{"".join(times)}</div></div>'
    )


def span(seconds: float) -> str:
    """Return a length of time in two units at most: ``3 d 4 h``, ``12 min``, ``8.5 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    rest, words = round(seconds), []
    for name, length in units:
        if rest >= length:
            words.append(f"{rest // length} {name}")
            rest %= length
        elif words:
            break
        if len(words) == 2:
            break
    return " ".join(words)


def _times(worked: float) -> list[str]:
    """Return quarters of a time; those in seconds have one number of digits, as many as tell them apart."""
    times = [worked * step / _STEPS for step in range(_STEPS + 1)]
    if worked >= 60:
        return [span(time) for time in times]
    digits = next(
        (
            n
            for n in range(3)
            if all(math.isclose(t, round(t, n), abs_tol=0.01 * worked) for t in times)
        ),
        3,
    )
    return ["0 s", *(f"{time:.{digits}f} s" for time in times[1:])]


def _round_above(value: float) -> float:
    """The least of 1, 2, 4 and 8 times a power of ten that is not below it: quarters of it are short to write."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= value)


def _tick(value: float) -> str:
    return f"{value:,.6g}" if value < 1000 else f"{value:,.0f}"
