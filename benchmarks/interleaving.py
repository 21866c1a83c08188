"""The timed part: engines are loaded side by side and queried in turn, reversing the order each round.

One works while the others sleep. Before each turn there is a pause, so that a thread pool that still spins comes to
rest, and one untimed query, since the engine before has filled the caches.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_infer.errors import BrainError

__all__ = ["Asked", "Timings", "drive"]

_PAUSE_SECONDS = 0.05
_WARM_UP = 3
_QUERIES, _ANSWERS = 4, 2


class Asked(Protocol):
    """The part of a worker that is used here."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for its reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Milliseconds of one engine, by round.

    Attributes:
        model: The model alone.
        end_to_end: From the file to the JSON; empty for workers that do not answer files.
        failure: Why it was left out from some turn on; empty if nothing failed.
    """

    model: list[list[float]] = field(default_factory=list)
    end_to_end: list[list[float]] = field(default_factory=list)
    failure: list[str] = field(default_factory=list)


def drive(
    workers: Mapping[str, Asked],
    scans: Sequence[str],
    *,
    rounds: int,
    model_only: frozenset[str] = frozenset(),
    turn_done: Callable[[], None] = lambda: None,
    pause_seconds: float = _PAUSE_SECONDS,
) -> dict[str, Timings]:
    """Time loaded workers.

    Args:
        workers: By name.
        scans: Files for end to end, used in turn.
        rounds: Turns of each worker.
        model_only: Names of workers that do not answer files.
        turn_done: Called after each turn, for a progress bar.
        pause_seconds: Before each turn.

    Returns:
        By name. A worker that fails is left out from then on, with the reason; the others continue.
    """
    timings = {name: Timings() for name in workers}
    for name, worker in workers.items():
        with _failure_noted(timings[name]):
            worker.ask("query", n=0, untimed=_WARM_UP)
            if name not in model_only:
                worker.ask("answer", scans=scans, n=1, untimed=_WARM_UP)
    names = list(workers)
    for number in range(rounds):
        chosen = [scans[(number * _ANSWERS + turn) % len(scans)] for turn in range(_ANSWERS)]
        for name in names if number % 2 == 0 else reversed(names):
            if not timings[name].failure:
                time.sleep(pause_seconds)
                with _failure_noted(timings[name]):
                    _turn(workers[name], timings[name], [] if name in model_only else chosen)
            turn_done()
    return timings


def _turn(worker: Asked, timings: Timings, scans: list[str]) -> None:
    timings.model.append(worker.ask("query", n=_QUERIES, untimed=1)["ms"])
    if scans:
        timings.end_to_end.append(worker.ask("answer", scans=scans, n=_ANSWERS, untimed=0)["ms"])


@contextlib.contextmanager
def _failure_noted(timings: Timings) -> Iterator[None]:
    try:
        yield
    except BrainError as error:
        timings.failure.append(str(error))
