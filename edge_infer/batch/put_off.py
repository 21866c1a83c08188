"""Signals that wait until something is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["signals_put_off"]


@contextmanager
def signals_put_off() -> Iterator[list[int]]:
    """Have Ctrl-C and SIGTERM wait: what is half there cannot be closed. The second one does not wait.

    Yields:
        What arrived, to be raised when that is possible.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {int(number): signal.getsignal(number) for number in numbers}
    arrived: list[int] = []

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def put_off(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)
        restore()

    for number in former:
        signal.signal(number, put_off)
    try:
        yield arrived
    finally:
        restore()
