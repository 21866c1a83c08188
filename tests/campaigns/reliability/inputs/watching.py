"""What is watched while a damaged file is read: time, memory, and whether a value of the file is shown."""

import contextlib
import io
import logging
import resource
import time
import traceback
import warnings
from collections.abc import Callable, Iterator

from reliability.campaign import Broken, Seen

from edge_infer.errors import BrainError

__all__ = ["CANARY", "watched"]

#: A word in headers, comments and EXIF of the files; it may be said nowhere.
CANARY = "CANARY"

_MOST_SECONDS = 2.0
_MOST_GROWTH_MB = 512.0


def watched(
    read: Callable[[], str],
    *,
    named: tuple[type[BaseException], ...] = (BrainError,),
    check: Callable[[], None] = lambda: None,
) -> Seen:
    """Read a file, and return what happened.

    Args:
        read: Reads it, and returns what was read as text, in which the canary is looked for.
        named: The exceptions that may come out; any other is a failure.
        check: Called if the file was read, outside of what is measured; raises ``Broken`` if it should not have been.

    Raises:
        Broken: It took more than 2 s of the processor, 512 MB more than the process ever had, or showed the canary.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with _heard() as heard:
        try:
            said, kind = read(), "read"
        except named as error:
            kind = f"refused, {error.code if isinstance(error, BrainError) else _name(error)}"
            said = "".join(traceback.format_exception(error)) + getattr(error, "hint", "")
    took = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if CANARY in said or CANARY in heard.getvalue():
        raise Broken(f"{kind}: a value of the file was shown")
    if took > _MOST_SECONDS:
        raise Broken(f"{kind}: took {took:.1f} s of the processor, expected {_MOST_SECONDS:g}")
    if grown > _MOST_GROWTH_MB:
        raise Broken(f"{kind}: took {grown:.0f} MB, expected {_MOST_GROWTH_MB:g}")
    if kind == "read":
        check()
    return Seen(kind=kind, figures={"processor time, s": took, "memory of one file, MB": grown})


def _name(error: BaseException) -> str:
    return type(error).__name__


@contextlib.contextmanager
def _heard() -> Iterator[io.StringIO]:
    """Collect what is printed, logged and warned of."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(heard),
            contextlib.redirect_stderr(heard),
        ):
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_, **__: heard.write(str(message))
            yield heard
    finally:
        root.removeHandler(handler)
