"""Whether there is room for one more image: bounds for the queue and for the disk."""

import math
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from edge_infer.node.config import Limits
from edge_infer.node.spool import Spool

__all__ = ["Admission", "Full"]

_MIB = 2**20

#: Seconds between two counts of the studies that wait.
_COUNT_S = 1.0


class Full(StrEnum):
    """Why there is no room."""

    QUEUE = "queue_full"
    """Too many studies wait."""
    SPOOL = "spool_full"
    """The spool has reached its size."""
    DISK = "disk_full"
    """The file system has too little room."""


class Admission:
    """Knows how full the spool is, without looking at the whole of it for each image."""

    def __init__(
        self, spool: Spool, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._spool, self._limits, self._clock = spool, limits, clock
        self._lock = threading.Lock()
        self._counted = -math.inf
        self._used = self._waiting = 0
        self.measure()

    def refusal(self, *, arriving: int, is_known: bool) -> Full | None:
        """Say why an image is refused; None lets it in.

        Args:
            arriving: Studies in ``incoming``; they will wait, too.
            is_known: Its study is among them; it is let in, so that a study is not cut for the queue's sake.
        """
        if self._spool.free_bytes() < self._limits.min_free_mb * _MIB:
            return Full.DISK
        if self.used_bytes() >= self._limits.max_spool_mb * _MIB:
            return Full.SPOOL
        if not is_known and arriving + self.waiting() >= self._limits.max_waiting:
            return Full.QUEUE
        return None

    def add(self, size: int) -> None:
        """An image of so many bytes was stored."""
        with self._lock:
            self._used += size

    def measure(self) -> None:
        """Walk over the spool, which may take a while; until the next walk, what comes in is added up."""
        before = self._used
        found = self._spool.used_bytes()
        with self._lock:
            self._used = found + max(0, self._used - before)

    def used_bytes(self) -> int:
        """Return the size of the spool."""
        return self._used

    def recount(self) -> None:
        """Studies are complete: count those that wait at the next question."""
        with self._lock:
            self._counted = -math.inf

    def waiting(self) -> int:
        """Return how many studies wait for an answer or the destination."""
        with self._lock:
            if self._clock() - self._counted >= _COUNT_S:
                self._waiting = self._spool.waiting()
                self._counted = self._clock()
            return self._waiting
