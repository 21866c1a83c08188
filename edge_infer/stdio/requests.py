"""Lines as requests. Unknown fields are ignored, a field that is null counts as absent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.plain_json import is_number, is_whole, parse_object, shown_value, why
from edge_infer.refusals import OVERRULABLE
from edge_infer.stdio.framing import Input
from edge_infer.stdio.protocol import OutOfStep, RequestId, RequestRefused

__all__ = [
    "Cancel",
    "Classify",
    "Fields",
    "Hello",
    "Ping",
    "Request",
    "Shutdown",
    "fields_of",
    "length_of",
    "request_of",
]

Fields = Mapping[str, Any]

#: Whole numbers that every JSON reader keeps exactly (RFC 8259, section 6).
_LARGEST = 2**53 - 1
_LONGEST_ID = 200
_MAX_SECONDS = 1e6
_OVERRULABLE = frozenset(refusal.value for refusal in OVERRULABLE)
_ONE_LINE = "nobody can tell where the next line begins: write one JSON object a line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The versions that the host speaks."""

    id: RequestId
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Answered at once."""

    id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The request that nobody waits for any more."""

    id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """No further request comes."""

    id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify:
    """Something to answer.

    Attributes:
        paths: Files and folders; None if the content follows the line.
        name: Of the content, for ``source``.
        view: Whether to send image and evidence, too.
        despite: Refusals to overrule; None for those of the command line.
        timeout_s: Longest time for one image; None for that of the command line.
    """

    id: RequestId
    paths: tuple[Path, ...] | None
    name: str
    view: bool
    despite: tuple[str, ...] | None
    timeout_s: float | None


Request = Hello | Ping | Cancel | Shutdown | Classify


def fields_of(line: bytes) -> Fields:
    """Return the fields of a line.

    Raises:
        OutOfStep: It is no JSON object, and may have announced content.
        RequestRefused: It is no JSON object.
    """
    try:
        return parse_object(line.decode("utf-8"))
    except ValueError as error:
        reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else why(error)
    message = f"the line is no JSON object ({reason})"
    if Input.may_announce(line):
        raise OutOfStep("length_lost", message, hint=_ONE_LINE)
    raise RequestRefused("bad_json", message)


def length_of(fields: Fields) -> int | None:
    """Return how many bytes follow the line, whatever else it says; None if none do.

    Raises:
        OutOfStep: Not a whole number from 0 to 2**53 - 1.
    """
    length = fields.get("length")
    if length is None:
        return None
    if not is_whole(length, 0, _LARGEST):
        message = f"length is {shown_value(length)}, expected the number of bytes that follow"
        raise OutOfStep("length_lost", message, hint=_ONE_LINE, identity=_id_or_none(fields))
    return int(length)


def request_of(fields: Fields) -> Request:
    """Return the request that a line holds.

    Raises:
        RequestRefused: There is no such method, or a field has another type.
    """
    identity = _id_or_none(fields)
    if identity is None:
        found = shown_value(fields.get("id"))
        raise RequestRefused(
            "bad_request",
            f"id is {found}, expected a text of 1 to {_LONGEST_ID} characters or a whole number",
        )
    try:
        return _request(fields, identity)
    except _Fault as fault:
        raise RequestRefused(fault.code, str(fault), identity) from None


class _Fault(Exception):
    def __init__(self, message: str, code: str = "bad_request") -> None:
        super().__init__(message)
        self.code = code


def _id_or_none(fields: Fields) -> RequestId | None:
    value = fields.get("id")
    if isinstance(value, str) and 1 <= len(value) <= _LONGEST_ID:
        return value
    return int(value) if is_whole(value, -_LARGEST, _LARGEST) else None  # type: ignore[arg-type]  # a number


def _request(fields: Fields, identity: RequestId) -> Request:
    method = fields.get("method")
    if method == "classify":
        return _classify(fields, identity)
    if method == "hello":
        return Hello(id=identity, versions=_versions(fields))
    if method == "ping":
        return Ping(id=identity)
    if method == "cancel":
        return Cancel(id=identity)
    if method == "shutdown":
        return Shutdown(id=identity)
    raise _Fault(
        f"method is {shown_value(method)}, expected classify, cancel, ping, hello or shutdown",
        "unknown_method",
    )


def _classify(fields: Fields, identity: RequestId) -> Classify:
    paths = _paths(fields)
    if (paths is None) == (fields.get("length") is None):
        raise _Fault("expected one of path, paths and length")
    timeout_s = fields.get("timeout_s")
    if timeout_s is not None and not (is_number(timeout_s, 0, _MAX_SECONDS) and timeout_s > 0):
        raise _Fault(
            f"timeout_s is {shown_value(timeout_s)}, expected seconds above 0 and up to {_MAX_SECONDS:,.0f}"
        )
    view, name = fields.get("view"), fields.get("name")
    if not isinstance(view, bool | None):
        raise _Fault(f"view is {shown_value(view)}, expected true or false")
    if not isinstance(name, str | None):
        raise _Fault("name is no text")
    return Classify(
        id=identity,
        paths=paths,
        name=name or "<bytes>",
        view=bool(view),
        despite=_despite(fields),
        timeout_s=None if timeout_s is None else float(timeout_s),
    )


def _paths(fields: Fields) -> tuple[Path, ...] | None:
    given = [fields[name] for name in ("path", "paths") if fields.get(name) is not None]
    if not given:
        return None
    if len(given) == 2:
        raise _Fault("expected one of path, paths and length")
    several = given[0] if fields.get("path") is None else given
    # Path("") is the current folder, and no host means that.
    if not (isinstance(several, list) and several and all(map(_is_path, several))):
        raise _Fault("path or paths is no text, or empty")
    return tuple(map(Path, several))


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _despite(fields: Fields) -> tuple[str, ...] | None:
    despite = fields.get("despite")
    if despite is None:
        return None
    if not (isinstance(despite, list) and all(isinstance(one, str) for one in despite)):
        raise _Fault("despite is no list of texts")
    if not _OVERRULABLE.issuperset(despite):
        raise _Fault(
            f"despite is {shown_value(despite)}, expected {', '.join(sorted(_OVERRULABLE))}"
        )
    return tuple(despite)


def _versions(fields: Fields) -> tuple[int, ...]:
    versions = fields.get("versions")
    if not (isinstance(versions, list) and all(is_whole(one, 0, _LARGEST) for one in versions)):
        raise _Fault(f"versions is {shown_value(versions)}, expected a list of whole numbers")
    return tuple(versions)
