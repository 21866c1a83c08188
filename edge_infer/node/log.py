"""The node's log: one line for each event on standard error, where systemd's journal takes it."""

import logging
import sys
import threading
from pathlib import Path
from types import TracebackType

from edge_infer.errors import BrainError
from edge_infer.names import shown_name
from edge_infer.node.quiet import silence_dicom

__all__ = ["log_to_stderr", "reason_of"]


class _OneLine(logging.Formatter):
    """Never breaks a line, and never shows the text of an exception: it may hold a value of a header."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        record.exc_info = record.exc_text = record.stack_info = None
        return shown_name(super().format(record))


def log_to_stderr() -> None:
    """Send the node's log to standard error, and keep everything else out of it."""
    silence_dicom()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("edge_infer.node")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    threading.excepthook = _say_where


def reason_of(error: Exception) -> str:
    """Return what may be logged of an error: its code, what the system says, or its kind; never its text."""
    if isinstance(error, BrainError):
        return error.code
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return type(error).__name__


def _say_where(arguments: threading.ExceptHookArgs) -> None:
    """Log the kind and the place of an error that nobody caught, and not its text."""
    place: TracebackType | None = arguments.exc_traceback
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "?"
    logging.getLogger(__name__).error(
        "a thread ended: %s in %s", arguments.exc_type.__name__, where
    )
