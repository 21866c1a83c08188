"""The content of a file of many slices, held while its slices are read one after another.

A file of 200 frames must be read and unpacked once, not 200 times; and two such files at a time are too much for a
small machine. So only the file that was used last is held, and no file once nobody can ask for its slices.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["HeldContent"]

T = TypeVar("T")

_lock = threading.Lock()
_last: "weakref.ref[HeldContent[Any]] | None" = None


class HeldContent(Generic[T]):
    """What a function returns, loaded when it is asked for, and let go when another one is.

    Args:
        load: Reads it. Called again after it was let go, or if it raised.
        is_held: Of a file of a single slice nothing is held.
    """

    def __init__(self, load: Callable[[], T], *, is_held: bool) -> None:
        self._load = load
        self._is_held = is_held
        self._content: T | None = None
        self._loading = threading.Lock()

    def get(self) -> T:
        """Return the content; one thread loads it, the others wait."""
        if not self._is_held:
            return self._load()
        self._become_last()
        with self._loading:
            content = self._content
            if content is None:
                content = self._load()
                with (
                    _lock
                ):  # another one may have become the last meanwhile: then it is used, but not held
                    if _last is not None and _last() is self:
                        self._content = content
        return content

    def let_go(self) -> None:
        """Forget the content; it is loaded again when it is asked for."""
        self._content = None

    def _become_last(self) -> None:
        global _last
        with _lock:
            former = _last() if _last is not None else None
            if former is not None and former is not self:
                former.let_go()
            _last = weakref.ref(self)
