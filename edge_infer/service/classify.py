"""``POST /v1/classify``: the content of one file in, lines out."""

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from edge_infer.errors import BrainError, TimedOut
from edge_infer.service.events import Ended, Event, Lines, Progress
from edge_infer.service.headers import by_name
from edge_infer.service.job import Job
from edge_infer.service.refusal import (
    ClientGone,
    Refused,
    error_body,
    no_memory,
    status_of_code,
    unrecorded,
    unsupported,
)
from edge_infer.service.state import State

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Classify"]

_LOG = logging.getLogger(__name__)
_ONE, _LINES = b"application/json", b"application/jsonl"
_SWITCHES = {"view", "progress"}
#: Lines that are ready together are sent together, up to this many bytes.
_CHUNK_BYTES = 2**18
#: Not application/x-www-form-urlencoded: curl says that of any bytes that it is told to send.
_FORM = "multipart/"


class Classify:
    """The route, as an application of ASGI.

    Args:
        state: Of the service.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request; ``Refused`` and ``ClientGone`` are for the guard."""
        state, loop = self._state, asyncio.get_running_loop()
        switches = _switches(scope["query_string"])
        declared = _declared(by_name(scope["headers"]))
        state.runs.require_place()  # before a body that would be read in vain
        started = loop.time()
        body = await state.bodies.read(receive, declared)
        arrived = loop.time()
        state.metrics.body(body.size, arrived - started)
        job = Job(
            state.lines,
            body,
            state.budget,
            view="view" in switches,
            wants_progress="progress" in switches,
        )
        try:
            job.start(state.runs)
            await self._answer(job, arrived, scope, receive, send)
        finally:
            job.cancel()

    async def _answer(
        self, job: Job, arrived: float, scope: "Scope", receive: "Receive", send: "Send"
    ) -> None:
        watch = asyncio.create_task(_until_gone(receive))
        watch.add_done_callback(lambda task: None if task.cancelled() else job.leave())
        deadline = arrived + self._state.limits.answer_s
        try:
            event = await self._next(job, deadline)
            if job.started_at is not None:
                self._state.metrics.step("queue", job.started_at - arrived)
            if isinstance(event, Ended):
                await self._only(event, job, send)
            else:
                await self._stream(event, job, deadline, scope, send)
        finally:
            watch.cancel()

    async def _next(self, job: Job, deadline: float) -> Event:
        try:
            event = await job.next(deadline)
        except TimeoutError:
            seconds = self._state.limits.answer_s
            raise Refused(
                504, TimedOut, f"no answer within {seconds:g} s", hint="send less at once"
            ) from None
        if isinstance(event, Ended) and event.is_out_of_memory:
            raise no_memory()
        if isinstance(event, Ended) and event.unrecorded is not None:
            _LOG.error("unrecorded", extra={"fields": {"code": event.unrecorded.code}})
            raise unrecorded(event.unrecorded)
        if isinstance(event, Ended) and event.bug is not None:
            raise self._bug(event.bug)
        return event

    def _bug(self, place: str) -> Refused:
        self._state.metrics.bug()
        _LOG.error("bug", extra={"fields": {"place": place}})
        return Refused(500, BrainError, "the service failed", hint="report it: this is a bug")

    async def _only(self, event: Ended, job: Job, send: "Send") -> None:
        told = event.told
        if told is None:  # an archive always gives a line
            raise self._bug("no line")
        self._state.metrics.answer(told)
        status = 200 if told.error_code is None else status_of_code(told.error_code)
        headers = [
            (b"content-type", _LINES if event.is_scan else _ONE),
            (b"content-length", str(len(told.text)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": told.text})
        job.sent(told)

    async def _stream(
        self, event: Event, job: Job, deadline: float, scope: "Scope", send: "Send"
    ) -> None:
        headers = [(b"content-type", _LINES)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            while not isinstance(event, Ended):
                event = await self._send(event, job, deadline, send)
        except Refused as refused:
            await send(_chunk(error_body(refused, scope["state"]["request_id"])))
            # Without the end of the body: whoever reads no lines must not take a part for the whole.
            raise ClientGone from None
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, event: Event, job: Job, deadline: float, send: "Send") -> Event:
        """Send an event and what else is ready, and return the next that is to be sent."""
        texts: list[bytes] = []
        size, failure = 0, None
        while not isinstance(event, Ended):
            for told in event.lines:
                self._state.metrics.answer(told)
                job.sent(told)
            text = _text(event)
            texts.append(text)
            size += len(text)
            if size >= _CHUNK_BYTES or not job.has_more:
                break
            try:
                event = await self._next(job, deadline)
            except Refused as refused:
                failure = refused
                break
        await send(_chunk(b"".join(texts)))
        if failure is not None:
            raise failure
        await asyncio.sleep(0)  # many lines must not keep others waiting
        return event if isinstance(event, Ended) else await self._next(job, deadline)


async def _until_gone(receive: "Receive") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _text(event: Lines | Progress) -> bytes:
    if isinstance(event, Lines):
        return b"".join(told.text for told in event.lines)
    fields = {"kind": "progress", "done": event.done, "total": event.total}
    return (json.dumps(fields) + "\n").encode("ascii")


def _chunk(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}


def _switches(query: bytes) -> set[str]:
    """Return what the query switches on."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    if any(name not in _SWITCHES or value not in ("0", "1") for name, value in pairs):
        raise Refused(
            400,
            "bad_request",
            "the query has a parameter or a value that is not known",
            hint="view=1 and progress=1 are",
        )
    return {name for name, value in pairs if value == "1"}


def _declared(headers: Any) -> int | None:
    """Return the length of the body that is to come; None if it comes in chunks."""
    if headers.get("content-type", "").lower().startswith(_FORM):
        raise unsupported("the body is a form", hint="send the bytes of the file, and nothing else")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise unsupported("the body is compressed", hint="send the bytes of the file as they are")
    if "transfer-encoding" in headers:
        return None
    if "content-length" not in headers:
        raise Refused(
            411, "bad_request", "the request states no length", hint="send Content-Length"
        )
    return int(headers["content-length"])  # h11 lets nothing but digits pass
