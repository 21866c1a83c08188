"""Units a second over the time that was worked: pauses between a run's starts are cut out, and named."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAUSE_S", "RESUMED_PAUSE_S", "Spell", "Throughput"]

#: Nobody worked for longer than that: a pause. Less may be the start of workers.
PAUSE_S = 60.0
#: The same where a partition lay half done meanwhile: between a kill and the next start.
RESUMED_PAUSE_S = 1.0
_BINS = 60
_SHORTEST_S = 1e-3
#: More are not named.
_NAMED_PAUSES = 100

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A time in which a start worked on a partition and did not finish it.

    Attributes:
        started: In seconds since 1970.
        seconds: How long, until the last that it wrote.
        units: How many it answered.
    """

    started: float
    seconds: float
    units: int


class Throughput:
    """Collects when partitions were worked on; 24 bytes for each, and 40 for each time one was interrupted."""

    def __init__(self) -> None:
        self._started, self._ended, self._units = array("d"), array("d"), array("d")
        self._left, self._resumed = array("d"), array("d")

    def add(
        self,
        *,
        started: float,
        seconds: float,
        units: int,
        spells: Iterable[Spell] = (),
    ) -> None:
        """Add a partition.

        Args:
            started: In seconds since 1970.
            seconds: How long it took.
            units: How many were answered in that time.
            spells: Of earlier starts that were interrupted in it, in their order.
        """
        left: float | None = None
        for spell in (*spells, Spell(started=started, seconds=seconds, units=units)):
            if left is not None:
                self._left.append(left)
                self._resumed.append(spell.started)
            left = spell.started + max(spell.seconds, _SHORTEST_S)
            self._started.append(spell.started)
            self._ended.append(left)
            self._units.append(spell.units)

    def as_json(self) -> dict[str, Any] | None:
        """Return the rates; None where there is nothing.

        Returns:
            ``started`` and ``ended``, in seconds since 1970; ``worked_seconds`` without pauses; ``units_per_second``
            over all of it; ``rates``, units a second in parts of equal length of the time worked; ``pauses``, each
            after how much work it came and how long it was.
        """
        if not self._units:
            return None
        started, ended, units = (
            np.frombuffer(one, np.float64) for one in (self._started, self._ended, self._units)
        )
        left, resumed = np.frombuffer(self._left), np.frombuffer(self._resumed)
        begins, lengths = _pauses(started, ended, left, resumed)
        first = float(started.min())
        worked = float(ended.max()) - first - float(lengths.sum())
        # Of a partition, its units are spread evenly over its time.
        starts, ends = (_without(one, begins, lengths) - first for one in (started, ended))
        edges = np.linspace(0, worked, _BINS + 1)
        done = [float((units * np.clip((e - starts) / (ends - starts), 0, 1)).sum()) for e in edges]
        rates = np.maximum(np.diff(done), 0) / (worked / _BINS)
        return {
            "started": first,
            "ended": float(ended.max()),
            "worked_seconds": round(worked, 3),
            "units_per_second": round(float(units.sum()) / worked, 3),
            "rates": [round(rate, 3) for rate in rates.tolist()],
            "pauses": [
                {"after_seconds": round(float(after), 3), "seconds": round(float(length), 3)}
                for after, length in zip(
                    _without(begins, begins, lengths) - first, lengths, strict=True
                )
            ][:_NAMED_PAUSES],
        }


def _pauses(
    started: _Floats, ended: _Floats, left: _Floats, resumed: _Floats
) -> tuple[_Floats, _Floats]:
    """Return when pauses began, and how long they were.

    Args:
        started: When spells of work began.
        ended: When they ended.
        left: When partitions were left half done.
        resumed: When those were gone on with.
    """
    order = np.argsort(started, kind="stable")
    until = np.maximum.accumulate(ended[order])[:-1]
    lengths = started[order][1:] - until
    is_pause = lengths > PAUSE_S
    # Of those in which a partition lay half done all the while, shorter ones, too. Both ends of gaps ascend.
    firsts = np.searchsorted(until, left, side="left")
    lasts = np.searchsorted(started[order][1:], resumed, side="right")
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        is_pause[first:last] |= lengths[first:last] >= RESUMED_PAUSE_S
    return until[is_pause], lengths[is_pause]


def _without(times: _Floats, begins: _Floats, lengths: _Floats) -> _Floats:
    """Return times less the pauses before them."""
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    passed: _Floats = before[np.searchsorted(begins, times, side="left")]
    return times - passed
