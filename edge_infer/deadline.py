"""A time limit on onnxruntime's work, during which Ctrl-C and other signals still arrive.

onnxruntime looks at its stop switches between two operators at best. While it folds a graph's constants or multiplies
two huge matrices, nothing stops it. Ctrl-C does not either, because Python handles signals only between two of its own
steps. So the work is done in another thread, and the thread that waits can give up.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from edge_infer.errors import TimedOut

__all__ = ["LOAD_SECONDS", "within"]

#: Seconds that opening a session may take, and each image of the self-test. The models here need a second or two.
LOAD_SECONDS = 120.0

# Most work that is asked to stop has stopped after this time, so no thread is left behind.
_GRACE_SECONDS = 1.0

_Result = TypeVar("_Result")


def within(
    seconds: float, work: Callable[[], _Result], *, what: str, stop: Callable[[], None]
) -> _Result:
    """Return the result of some work, or raise its error.

    Args:
        seconds: How long to wait.
        work: Is called in another thread.
        what: What the work is, for the message.
        stop: Asks the work to stop; called when the waiting is given up. Work that does not stop goes on until it
            ends, or the process does.

    Raises:
        TimedOut: It takes longer.
    """
    working = _Working(work)
    try:
        is_done = working.is_done(seconds)
    except BaseException:  # such as KeyboardInterrupt
        stop()
        raise
    if not is_done:
        stop()
        working.is_done(_GRACE_SECONDS)
        raise TimedOut(
            f"{what} takes longer than {seconds:g} s", hint="do not use this bundle here"
        )
    return working.result()


class _Working(Generic[_Result]):
    """Work that has started."""

    def __init__(self, work: Callable[[], _Result]) -> None:
        self._results: list[_Result] = []
        self._errors: list[BaseException] = []
        self._done = threading.Event()
        # A daemon thread: the process may end before the work does.
        threading.Thread(target=self._do, args=(work,), daemon=True).start()

    def _do(self, work: Callable[[], _Result]) -> None:
        try:
            self._results.append(work())
        except BaseException as error:  # raised again by result()
            self._errors.append(error)
        self._done.set()

    def is_done(self, seconds: float) -> bool:
        return self._done.wait(min(seconds, threading.TIMEOUT_MAX))

    def result(self) -> _Result:
        if self._errors:
            raise self._errors[0]
        return self._results[0]
