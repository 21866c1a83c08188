"""Requests that wait or run: bounded in number and in bytes, answered in their order."""

import threading
from collections import deque
from dataclasses import dataclass

from edge_infer.stdio.protocol import RequestId, RequestRefused
from edge_infer.stdio.requests import Classify

__all__ = ["Job", "Jobs"]


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A request that was accepted.

    Attributes:
        content: Empty if the request names paths.
        end: Code of the error that ends it, once somebody wants that.
    """

    request: Classify
    content: bytes
    end: str | None = None


class Jobs:
    """For one thread that adds, one that takes, and any that ask.

    Args:
        most: That wait or run.
        most_bytes: Of their content.
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._jobs: dict[RequestId, Job] = {}  # waiting and running
        self._waiting: deque[Job] = deque()
        self._answered = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def __contains__(self, identity: object) -> bool:
        """Whether a request of this id waits or runs."""
        return identity in self._jobs

    def check(self, identity: RequestId, length: int) -> None:
        """Check that a request may be added, before its content is read.

        Raises:
            RequestRefused: Its id is that of another, or there is no room now.
        """
        with self._changed:
            if self._is_closed:
                raise RequestRefused("stopping", "the worker was told to stop", identity)
            if identity in self._jobs:
                raise RequestRefused(
                    "duplicate_id",
                    f"id {identity!a} is that of a request that has not ended",
                    identity,
                )
            held = sum(len(job.content) for job in self._jobs.values())
            if len(self._jobs) >= self._most or held + length > self._most_bytes:
                raise RequestRefused(
                    "busy",
                    f"{len(self._jobs)} requests with {held} bytes wait or run, the limits are {self._most} and "
                    f"{self._most_bytes}",
                    identity,
                )

    def add(self, request: Classify, content: bytes) -> None:
        """Add a request that was checked."""
        with self._changed:
            job = Job(request=request, content=content)
            self._jobs[request.id] = job
            self._waiting.append(job)
            self._changed.notify()

    def take(self) -> Job | None:
        """Wait for the next; None after ``close``, when all were taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            return self._waiting.popleft() if self._waiting else None

    def remove(self, job: Job) -> None:
        """Forget one that has ended; its id may be used again."""
        with self._changed:
            del self._jobs[job.request.id]
            self._answered += 1

    def cancel(self, identity: RequestId) -> Job | None:
        """End a request. One that waits is returned and forgotten; one that runs will end by itself."""
        with self._changed:
            job = self._jobs.get(identity)
            if job is None:
                return None
            job.end = "cancelled"
            if job not in self._waiting:
                return None
            self._waiting.remove(job)
        self.remove(job)
        return job

    def close(self) -> None:
        """No more will be added."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def stop(self) -> None:
        """End all, and let none be added."""
        with self._changed:
            for job in self._jobs.values():
                job.end = job.end or "stopping"
        self.close()

    def counts(self) -> dict[str, int]:
        """Return how many wait, run and have ended."""
        with self._changed:
            waiting = len(self._waiting)
            return {
                "waiting": waiting,
                "running": len(self._jobs) - waiting,
                "ended": self._answered,
            }
