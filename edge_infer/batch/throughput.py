"""Units a second over the time that was worked: pauses between a run's starts are cut out, and named."""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Throughput"]

#: Nobody worked for longer than that: a pause, such as between a kill and the next start.
_PAUSE_S = 60.0
_BINS = 60
_SHORTEST_S = 1e-3
#: More are not named.
_NAMED_PAUSES = 100

_Floats = NDArray[np.float64]


class Throughput:
    """Collects when partitions were worked on; 24 bytes for each."""

    def __init__(self) -> None:
        self._started, self._ended, self._units = array("d"), array("d"), array("d")

    def add(self, *, started: float, seconds: float, units: int) -> None:
        """Add a partition.

        Args:
            started: In seconds since 1970.
            seconds: How long it took.
            units: How many were answered in that time.
        """
        self._started.append(started)
        self._ended.append(started + max(seconds, _SHORTEST_S))
        self._units.append(units)

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
        begins, lengths = _pauses(started, ended)
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


def _pauses(started: _Floats, ended: _Floats) -> tuple[_Floats, _Floats]:
    """Return when pauses began, and how long they were."""
    order = np.argsort(started, kind="stable")
    until = np.maximum.accumulate(ended[order])[:-1]
    lengths = started[order][1:] - until
    is_pause = lengths > _PAUSE_S
    return until[is_pause], lengths[is_pause]


def _without(times: _Floats, begins: _Floats, lengths: _Floats) -> _Floats:
    """Return times less the pauses before them."""
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    passed: _Floats = before[np.searchsorted(begins, times, side="left")]
    return times - passed
