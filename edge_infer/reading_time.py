"""A time limit on reading and decoding an image, although nothing in Python can stop either.

A read from a dead network file system, or a decoder in C, can only be stopped by ending its process, and a process for
each image would cost more than the image. So a thread does the work while its caller waits. When the time is over, the
caller gets an error, and the thread is left behind until its work ends. At most ``MAX_LEFT_BEHIND`` threads of a
process are left behind: after that, the next caller waits for one of them to end, as long as its own time limit
allows. They are daemon threads, so they do not keep the process from ending.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from edge_infer.errors import TimedOut
from edge_infer.names import shown_name

__all__ = ["MAX_LEFT_BEHIND", "check_seconds", "read_within", "timed_out"]

MAX_LEFT_BEHIND = 8

_Result = TypeVar("_Result")


class _LeftBehind:
    """The number of threads that nobody waits for any more."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.count = 0


_left_behind = _LeftBehind()


class _Job:
    """One piece of work on a thread of its own."""

    def __init__(self, work: Callable[[], Any], left_behind: _LeftBehind) -> None:
        self._work = work
        self._left_behind = left_behind
        self._is_left = False
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # the caller raises it
            self.error = error
        with self._left_behind.changed:
            self.done.set()
            if self._is_left:
                self._left_behind.count -= 1
                self._left_behind.changed.notify()

    def leave(self) -> bool:
        """Stop waiting for the job; return False if it has just ended."""
        with self._left_behind.changed:
            self._is_left = not self.done.is_set()
            self._left_behind.count += self._is_left
            return self._is_left


def check_seconds(timeout_s: object) -> float | None:
    """Return a time limit, no longer than threads can wait.

    Args:
        timeout_s: Seconds; None for no limit.

    Raises:
        TypeError: It is not a number.
        ValueError: It is 0 or less, NaN or infinite.
    """
    if timeout_s is None:
        return None
    try:
        if isinstance(timeout_s, str | bytes | bytearray):  # float() would read them
            raise TypeError
        seconds = float(timeout_s)  # type: ignore[arg-type]  # that is what is tried
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"timeout_s is {timeout_s!r}, expected a number of seconds or None"
        ) from error
    if not 0 < seconds < float("inf"):
        raise ValueError(f"timeout_s is {timeout_s}, expected a finite number above 0")
    return min(seconds, threading.TIMEOUT_MAX)


def read_within(timeout_s: float | None, work: Callable[[], _Result], name: str) -> _Result:
    """Return the result of some work, if it takes no longer than allowed.

    Args:
        timeout_s: Seconds; None calls ``work`` at once, without a thread.
        work: After a time-out it goes on, and its result is dropped.
        name: Of the image.

    Raises:
        TimedOut: It took longer, or too many threads were left behind to start another.
        BaseException: What the work raises.
    """
    if timeout_s is None:
        return work()
    left_behind = _left_behind
    ends = time.monotonic() + timeout_s
    with left_behind.changed:
        has_place = left_behind.changed.wait_for(
            lambda: left_behind.count < MAX_LEFT_BEHIND, timeout=timeout_s
        )
    if not has_place:
        raise TimedOut(
            f"{shown_name(name)}: not begun within {timeout_s:g} s, {MAX_LEFT_BEHIND} earlier images "
            "are still being read",
            hint="see why reading takes so long, and start again",
        )
    job = _Job(work, left_behind)
    threading.Thread(target=job.run, name="brain-edge-reader", daemon=True).start()
    try:
        is_late = not job.done.wait(max(0.0, ends - time.monotonic()))
    except BaseException:  # Ctrl-C
        job.leave()
        raise
    if is_late and job.leave():
        raise timed_out(timeout_s, name)
    if job.error is not None:
        raise job.error
    return cast(_Result, job.result)


def timed_out(timeout_s: float, name: str) -> TimedOut:
    """Return the error of an image that took too long."""
    return TimedOut(
        f"{shown_name(name)}: no answer within {timeout_s:g} s",
        hint="allow more time, or end what else runs on this machine",
    )


def _forget() -> None:
    """Start from zero in a forked child, where none of these threads exists."""
    global _left_behind
    _left_behind = _LeftBehind()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
