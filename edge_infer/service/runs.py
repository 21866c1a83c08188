"""Runs: never more than so many at once, and no more than so many that wait."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from edge_infer.service.limits import Limits
from edge_infer.service.refusal import busy

__all__ = ["Runs"]


class Runs:
    """Threads that work, first come, first served.

    A run counts until its thread has ended it, also where nobody waits for it any more.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = limits.workers + limits.queue
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="brain-serve")
        self._held: set[Future[None]] = set()

    @property
    def running(self) -> int:
        """How many are at work."""
        return sum(one.running() for one in list(self._held))

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not one.running() for one in list(self._held))

    def require_place(self) -> None:
        """Check that there is a place.

        Raises:
            Refused: All runs and all places of the queue are taken.
        """
        if len(self._held) >= self._most:
            raise busy("as many requests wait as may")

    def start(self, work: Callable[[], None]) -> Future[None]:
        """Have something done as soon as a thread is free.

        Raises:
            Refused: As ``require_place``.
        """
        self.require_place()
        run = self._threads.submit(work)
        self._held.add(run)
        run.add_done_callback(self._held.discard)
        return run

    def close(self, *, within_s: float) -> bool:
        """Start nothing more; return whether all threads are done in time."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        return not wait(list(self._held), timeout=within_s).not_done
