"""Why a request gets no answer, as a status and a body of JSON; no word of it comes from the client."""

import json
from typing import Any

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import (
    BrainError,
    InferenceFailed,
    InputOverLimit,
    MissingDependency,
    NonFiniteOutput,
    OutputError,
    TimedOut,
    UnsupportedImage,
)

__all__ = [
    "ClientGone",
    "Refused",
    "busy",
    "error_body",
    "no_memory",
    "status_of_code",
    "stopping",
    "unrecorded",
    "unsupported",
]

_RETRY_S = 1
#: What is none of the client's content; anything else that is wrong with an image is 422.
_STATUS = {
    InputOverLimit.code: 413,
    MissingDependency.code: 415,
    InferenceFailed.code: 500,
    NonFiniteOutput.code: 500,
    TimedOut.code: 504,
}


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Refused(Exception):
    """A request gets no answer.

    Attributes:
        status: Of HTTP.
        code: As in ``edge_infer.errors``, or a word of docs/service.md where no command has such an error.
        exit_code: Of that error; None where there is none.
        message: What was found and what was expected.
        hint: What to do.
        headers: Beside those of every answer.
    """

    def __init__(
        self,
        status: int,
        code: str | type[BrainError],
        message: str,
        *,
        hint: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.hint, self.headers = status, message, hint, headers
        self.code = code if isinstance(code, str) else code.code
        self.exit_code = None if isinstance(code, str) else code.exit_code


def busy(message: str) -> Refused:
    """Return a refusal of what may be taken a moment later."""
    retry = ("Retry-After", str(_RETRY_S))
    return Refused(503, "busy", message, hint="ask again in a moment", headers=(retry,))


def no_memory() -> Refused:
    """Return the refusal of what memory is missing for at the moment."""
    return busy("there is no memory left for the request")


def unrecorded(error: OutputError) -> Refused:
    """Return the refusal of an answer that the audit log cannot take; its message would name a file of this machine."""
    retry = ("Retry-After", str(_RETRY_S))
    return Refused(
        503,
        type(error),
        "the answer could not be recorded in the audit log, so it is not given",
        hint="tell who runs the service: the log needs room and a writable file",
        headers=(retry,),
    )


def stopping() -> Refused:
    """Return the refusal of a service that takes nothing more."""
    retry = ("Retry-After", "5")
    return Refused(503, "stopping", "the service is stopping", hint="ask again", headers=(retry,))


def status_of_code(code: str) -> int:
    """Return the status of a single answer that is an error line."""
    return _STATUS.get(code, 422)


def error_body(refused: Refused, request_id: str) -> bytes:
    """Return the body, one line of JSON."""
    fields: dict[str, Any] = {
        "error": {
            "code": refused.code,
            "exit_code": refused.exit_code,
            "message": refused.message,
            "hint": refused.hint,
        },
        "request_id": request_id,
        "research_use_only": RESEARCH_USE_ONLY,
    }
    return (json.dumps(fields) + "\n").encode("ascii")


def unsupported(message: str, *, hint: str) -> Refused:
    """Return the refusal of a body that is sent in a way that is not read."""
    return Refused(415, UnsupportedImage, message, hint=hint)
