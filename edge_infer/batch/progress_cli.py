"""A bar with rate and time left; in a log, a line every half minute."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from edge_infer.console import say

__all__ = ["listing_progress", "progress", "time_left"]

_BETWEEN_LINES_S = 30.0
#: The rate is that of this long, so that a pause in the past does not count for ever.
_WINDOW_S = 60.0


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that is called with (done, total)."""
    rate = _Rate()
    if not sys.stderr.isatty():
        yield _sparse_lines(label, rate)
        return
    with contextlib.ExitStack() as stack:
        bar: Any = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:  # before the first answer, lines say what is going on
                if not done:
                    return
                bar = stack.enter_context(_bar(label))
            bar.length = max(total, 1)
            bar.update(min(done, total) - bar.pos, rate.words(done, total))

        yield show


def time_left(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    return f"{hours} h" if hours < 72 else f"{round(seconds / 86400)} days"


def _bar(label: str) -> Any:
    return click.progressbar(
        length=1, label=label, file=sys.stderr, show_eta=False, item_show_func=lambda item: item
    )


class _Rate:
    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def words(self, done: int, total: int) -> str:
        now = time.monotonic()
        if not self._seen or now - self._seen[-1][0] >= 1:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_S:
            del self._seen[0]
        began, before = self._seen[0]
        if done <= before or now - began < 1:
            return ""
        rate = (done - before) / (now - began)
        return f"{rate:.3g}/s, {time_left((total - done) / rate)} left"


def _sparse_lines(label: str, rate: _Rate) -> Callable[[int, int], None]:
    said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        words = rate.words(done, total)
        if time.monotonic() - said < _BETWEEN_LINES_S:
            return
        say(f"{label}: {done} of {total} ({done / max(1, total):.0%}) {words}".rstrip())
        said = time.monotonic()

    return show


def listing_progress() -> Callable[[int], None]:
    """Return what says every half minute how many units were listed so far."""
    said = time.monotonic()

    def show(count: int) -> None:
        nonlocal said
        if count % 1000 or time.monotonic() - said < _BETWEEN_LINES_S:
            return
        say(f"listed: {count}")
        said = time.monotonic()

    return show
