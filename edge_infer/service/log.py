"""The log: one JSON object a line; never a path, a header or a text of an error, which may hold patient data."""

import json
import logging
import sys
import time
from pathlib import Path
from typing import IO, Any

from edge_infer.errors import CannotWrite

__all__ = ["LogLines", "log_to", "place_of"]

_LOGGER = "edge_infer.service"
#: They say what clients sent, or show tracebacks; what matters of it is counted by the metrics.
_SILENT = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "pydicom")


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(fields)


class LogLines(logging.StreamHandler[IO[str]]):
    """Writes lines of the log.

    Attributes:
        is_starting: While it is set, a line that cannot be written raises ``CannotWrite``. Afterwards requests are
            answered also without a log.
    """

    is_starting = True

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 -- logging's own
        """Raise, or say nothing: there is nowhere to say it."""
        error = sys.exc_info()[1]
        if self.is_starting and isinstance(error, OSError):
            raise CannotWrite(
                f"standard error: the log cannot be written ({error.strerror})",
                hint="let it lead to something that takes lines, such as /dev/null",
            ) from None


def log_to(stream: IO[str]) -> LogLines:
    """Send the service's log to a stream, and everything else that libraries log nowhere."""
    handler = LogLines(stream)
    handler.setFormatter(_JsonLine())
    logger = logging.getLogger(_LOGGER)
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    for name in _SILENT:
        other = logging.getLogger(name)
        other.handlers[:] = [logging.NullHandler()]
        other.propagate = False
        other.setLevel(logging.CRITICAL + 1)
    return handler


def place_of(error: BaseException) -> str:
    """Return the kind and the place of an error, and not its text."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "?"
    return f"{type(error).__name__} in {where}"
