"""Partitions that were given to Dask's workers, and what comes back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from edge_infer.batch.carried import carried
from edge_infer.batch.journal import JournalWatch
from edge_infer.batch.partition import Order, journal_path
from edge_infer.batch.told_errors import from_words
from edge_infer.errors import BrainError, InferenceFailed, MissingDependency

__all__ = ["Submissions"]

_BUSY_S = 2.0
#: Each time a partition's worker ended four times (allowed-failures) without one more answer.
_MOST_STUCK = 3


@dataclass(slots=True, kw_only=True)
class _Given:
    """A partition that was given to a worker.

    Attributes:
        number: Of the partition.
        watch: Of its journal.
        kept: Units in its journal when it was given first, of an earlier run.
        answered: Units of all partitions, as far as known, when it was given.
        stuck: How often its workers ended without one more: Dask blames partitions that only wait for a worker, too.
    """

    number: int
    watch: JournalWatch
    kept: int
    answered: int = 0
    stuck: int = 0

    @property
    def new(self) -> int:
        """Units that were seen to be answered since it was given first."""
        return self.watch.answered - self.kept


class Submissions:
    """What a client's workers have to do.

    Args:
        client: Of Dask.
        output: Folder of the run.
        order: Which run it is; workers put their own names in.
    """

    def __init__(self, client: Any, output: Path, order: Order) -> None:
        self._client = client
        self._output = output
        self._words = {"run_id": order.run_id, "source": order.source.as_json()}
        self._ended: Queue[tuple[_Given, Any]] = Queue()
        self._given: list[_Given] = []
        self._later: list[tuple[float, _Given]] = []
        self._finished = 0

    def __len__(self) -> int:
        return len(self._given)

    @property
    def is_waiting(self) -> bool:
        """Whether partitions are left that other processes work on."""
        return bool(self._later)

    @property
    def answered(self) -> int:
        """How many units of what is being worked on were answered since it was given."""
        for one in self._given:
            one.watch.look()
        return sum(one.new for one in self._given)

    def slow_units(self, seconds: float) -> list[int]:
        """Return the units that have been worked on for so long, as ``answered`` saw it."""
        before = time.monotonic() - seconds
        watches = (one.watch for one in self._given)
        return [one.begun for one in watches if one.begun is not None and one.moved_at < before]

    def workers(self) -> int:
        """Return how many workers there are now."""
        return len(_asked(self._client.nthreads))

    def give(self, number: int) -> None:
        """Have a partition answered."""
        watch = JournalWatch(journal_path(self._output, number))
        self._give(_Given(number=number, watch=watch, kept=watch.look()))

    def give_again(self) -> None:
        """Have those tried again that others worked on a while ago."""
        now = time.monotonic()
        for waiting in list(self._later):
            at, one = waiting
            if at <= now:
                self._later.remove(waiting)
                self._give(one)

    def take(self, seconds: float) -> int:
        """Wait so long for partitions to end, and return how many units were answered of those that are finished.

        Raises:
            BrainError: An error of a worker that concerns more than a unit.
        """
        units = 0
        try:
            units += self._take(*self._ended.get(timeout=seconds))
            while True:
                units += self._take(*self._ended.get_nowait())
        except Empty:
            return units

    @property
    def _known(self) -> int:
        """Units answered of all partitions; nothing is read for it, since journals are many on a cluster."""
        waiting = (one for _, one in self._later)
        return self._finished + sum(one.new for one in chain(self._given, waiting))

    def _give(self, one: _Given) -> None:
        one.watch.look()
        # Who began a unit before is not at it any more: it waits with its partition.
        one.watch.begun = None
        one.answered = self._known + one.new
        key = f"{self._words['run_id']}-{one.number}-{time.time_ns()}"
        future = _asked(
            lambda: self._client.submit(
                carried, str(self._output), one.number, self._words, key=key, pure=False
            )
        )
        self._given.append(one)
        future.add_done_callback(lambda ended: self._ended.put((one, ended)))

    def _take(self, one: _Given, future: Any) -> int:
        from distributed import KilledWorker

        self._given.remove(one)
        status = future.status
        result = _asked(future.result) if status == "finished" else {}
        error = _asked(future.exception) if status == "error" else None
        future.release()
        if isinstance(error, KilledWorker):
            self._try_again(one)
        elif isinstance(error, ModuleNotFoundError):
            raise MissingDependency(
                f"a worker of the cluster lacks {error.name}",
                hint="install the same brain-edge, with its extras, on all machines",
            ) from error
        elif error is not None:
            raise error
        elif "error" in result:
            raise _told(result["error"], result["worker"])
        elif "busy" in result:
            self._later.append((time.monotonic() + _BUSY_S, one))
        elif "units" in result:
            units = int(result["units"]) - one.kept
            self._finished += units
            return units
        else:
            raise _cluster_is_gone()
        return 0

    def _try_again(self, one: _Given) -> None:
        for other in (one, *self._given):
            other.watch.look()
        got_on = self._known + one.new > one.answered
        one.stuck = 0 if got_on else one.stuck + 1
        if one.stuck >= _MOST_STUCK:
            raise InferenceFailed(
                "workers end before they have answered anything",
                hint="see what a worker says on its own: give --workers 1; is there enough memory?",
            )
        self._give(one)


def _told(words: dict[str, str], worker: str) -> BrainError:
    """Return a worker's error; of a cluster it says whose, while on this machine workers have numbers only."""
    named = words["message"] if worker.isdecimal() else f"worker {worker}: {words['message']}"
    return from_words({**words, "message": named})


def _asked(call: Callable[[], Any]) -> Any:
    """Ask the scheduler."""
    from distributed import CancelledError
    from distributed import TimeoutError as DaskTimeout
    from distributed.comm.core import CommClosedError

    try:
        return call()
    except (CommClosedError, CancelledError, DaskTimeout, TimeoutError) as error:
        raise _cluster_is_gone() from error


def _cluster_is_gone() -> InferenceFailed:
    return InferenceFailed(
        "the cluster's scheduler went away",
        hint="start it again; the same command then goes on",
    )
