"""Partitions on Dask's workers, few given out at a time: the driver holds as little at 10^9 slices as at 10.

Dask starts a partition again where its worker ended. Whether that gets on is seen from the journals: a partition whose
worker ends again and again without one more answer ends the run.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_infer.batch.clusters import WorkersLost
from edge_infer.batch.partition import Order
from edge_infer.batch.submissions import Submissions

__all__ = ["run_on_engine"]

_PER_WORKER = 2
_LOOK_S = 0.5
_COUNT_WORKERS_S = 5.0
#: So long a worker that ended may take until it is replaced, on a busy machine.
_REPLACED_S = 60.0
_SLOW_S = 300.0


def run_on_engine(
    client: Any,
    output: Path,
    numbers: Iterator[int],
    order: Order,
    *,
    progress: Callable[[int], None],
    waits: Callable[[], None],
    processes: int | None = None,
    lacks_workers: Callable[[], None] = lambda: None,
    is_slow: Callable[[int], None] = lambda _: None,
) -> None:
    """Answer partitions on a client's workers.

    Args:
        client: Of ``local_cluster`` or ``joined_cluster``.
        output: Folder of the run.
        numbers: Partitions that are not finished.
        order: Which run it is; workers put their own names in.
        progress: Called twice a second with how many units have been answered.
        waits: Called once if nothing is left but what others work on.
        processes: How many workers were started here; None for a cluster. Then journals are read for the progress too,
            which on a cluster would be many.
        lacks_workers: Called once if the cluster has no workers.
        is_slow: Called once with a unit that a process here has been working on for five minutes.

    Raises:
        BrainError: The first error of a worker that concerns more than a unit.
        WorkersLost: Of the processes that were started here, one was not replaced.
    """
    given = Submissions(client, output, order)
    present = _Present(given, processes)
    told, slow = set[str](), set[int]()
    finished, is_more = 0, True
    while True:
        workers = present.count()
        while is_more and len(given) < _PER_WORKER * workers:
            number = next(numbers, None)
            if number is None:
                is_more = False
            else:
                given.give(number)
        given.give_again()
        progress(finished + (given.answered if processes is not None else 0))
        for unit in given.slow_units(_SLOW_S):
            if unit not in slow:
                is_slow(unit)
            slow.add(unit)
        if not given and not is_more:
            if not given.is_waiting:
                return
            if "waits" not in told:
                waits()
            told.add("waits")
        if not workers and "workers" not in told:
            lacks_workers()
            told.add("workers")
        finished += given.take(_LOOK_S)


class _Present:
    """How many workers are there, asked now and then: those of a cluster come and go."""

    def __init__(self, given: Submissions, processes: int | None) -> None:
        self._given = given
        self._processes = processes
        self._workers = 0
        self._counted_at = -math.inf
        self._complete_at = time.monotonic()

    def count(self) -> int:
        """Return how many there were a moment ago.

        Raises:
            WorkersLost: One of those that were started here has been absent for too long.
        """
        now = time.monotonic()
        if now - self._counted_at < _COUNT_WORKERS_S:
            return self._workers
        self._workers, self._counted_at = self._given.workers(), now
        if self._processes is None or self._workers >= self._processes:
            self._complete_at = now
        elif now - self._complete_at > _REPLACED_S:
            raise WorkersLost(f"{self._workers} of {self._processes} are there")
        return self._workers
