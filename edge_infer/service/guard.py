"""Around all routes: the request's id, who may ask, what becomes of errors, and what is counted and logged."""

import asyncio
import logging
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge_infer.errors import BrainError
from edge_infer.service.access import Access
from edge_infer.service.headers import PAGE_POLICY, PLAIN_POLICY, by_name, security_headers
from edge_infer.service.log import place_of
from edge_infer.service.refusal import ClientGone, Refused, error_body, no_memory
from edge_infer.service.routes import OPEN_ROUTES, PAGE, route_of
from edge_infer.service.state import State

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

_LOG = logging.getLogger(__name__)

#: Longer ids, and ids with other signs, are replaced: whatever a client puts here is in our log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {True: security_headers(PAGE_POLICY), False: security_headers(PLAIN_POLICY)}
#: How a request is counted whose client left (as nginx does).
_GONE = 499


class Guard:
    """An application of ASGI around another.

    Args:
        app: The routes.
        state: Of the service.
        access: Who may ask.
        logs_requests: Whether each request is a line of the log.
    """

    def __init__(
        self, app: "ASGIApp", state: State, access: Access, *, logs_requests: bool
    ) -> None:
        self._app, self._state, self._access = app, state, access
        self._logs_requests = logs_requests

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, whatever happens."""
        started = asyncio.get_running_loop().time()
        headers = by_name(scope["headers"])
        request_id = _request_id(headers)
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        route = route_of(scope["path"])
        answering = _Answering(send, request_id, self._state, is_page=route == PAGE)
        try:
            self._check(scope["method"], route, headers)
            await self._app(scope, receive, answering.send)
        except ClientGone:
            answering.status = answering.status or _GONE
        except Refused as refused:
            await answering.refuse(refused)
        except MemoryError:
            await answering.refuse(no_memory())
        except Exception as error:
            self._state.metrics.bug()
            _LOG.error("bug", extra={"fields": {"place": place_of(error)}})
            await answering.refuse(
                Refused(500, BrainError, "the service failed", hint="report it: this is a bug")
            )
        finally:
            seconds = asyncio.get_running_loop().time() - started
            self._over(scope["method"], route, answering, seconds)

    def _check(self, method: str, route: str, headers: Mapping[str, str]) -> None:
        _check_framing(headers)
        self._access.check_host(headers)
        self._access.check_origin(method, headers, is_page=route == PAGE)
        if route not in OPEN_ROUTES:
            self._access.check_token(headers)

    def _over(self, method: str, route: str, answering: "_Answering", seconds: float) -> None:
        status = answering.status or _GONE
        self._state.metrics.request(route, status, seconds)
        if self._logs_requests:
            fields = {
                "request_id": answering.request_id,
                "method": method if method in ("GET", "HEAD", "POST") else "other",
                "route": route,
                "status": status,
                "seconds": round(seconds, 4),
            }
            _LOG.info("request", extra={"fields": fields})


class _Answering:
    """The response of one request."""

    def __init__(self, send: "Send", request_id: str, state: State, *, is_page: bool) -> None:
        self._send, self._state, self._is_page = send, state, is_page
        self.request_id = request_id
        self.status = 0

    async def send(self, message: "Message") -> None:
        """Send on, with the headers that every response has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(b"x-request-id", self.request_id.encode("ascii"))]
            if self._state.is_stopping:
                own.append((b"connection", b"close"))
            shared = _HEADERS[self._is_page and self.status < 300]
            message = {**message, "headers": [*message.get("headers", []), *own, *shared]}
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.status:
            return
        body = error_body(refused, self.request_id)
        headers: list[Any] = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in refused.headers),
        ]
        await self.send(
            {"type": "http.response.start", "status": refused.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": body})


def _check_framing(headers: Mapping[str, str]) -> None:
    """Refuse a body that two readers may see end in two places: request smuggling (RFC 9112, section 6.1)."""
    if "transfer-encoding" in headers and "content-length" in headers:
        raise Refused(
            400,
            "bad_request",
            "the request has both Content-Length and Transfer-Encoding",
            hint="send one of them",
            headers=(("Connection", "close"),),
        )


def _request_id(headers: Mapping[str, str]) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
