"""Room in memory for what files unpack to: a service, which unpacks for many at once, bounds it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

__all__ = ["Layer", "NoRoom", "bounded", "make_room"]

#: Files of a request are read one after the other, so at most one of each is there: a member of an archive, and what a
#: compressed file holds.
Layer = Literal["member", "stream"]

_Ask = Callable[[Layer, int, str], None]
_ask: ContextVar[_Ask | None] = ContextVar("ask", default=None)


class NoRoom(BaseException):
    """There is no room at the moment, since others have it; no reader may take that for a damaged file."""


@contextmanager
def bounded(ask: _Ask) -> Iterator[None]:
    """Have a function asked before anything is unpacked in this thread.

    Args:
        ask: Called with a layer, how many bytes a file of it unpacks to, and the name of the file as shown. Raises
            ``NoRoom``, or ``InputOverLimit`` where there will never be room.
    """
    token = _ask.set(ask)
    try:
        yield
    finally:
        _ask.reset(token)


def make_room(layer: Layer, count: int, name: str) -> None:
    """Ask for room for so many bytes, if that is bounded here."""
    ask = _ask.get()
    if ask is not None:
        ask(layer, count, name)
