"""The routes: none of them names a path or a model."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.page import static_file
from edge_infer.service.access import SAFE_METHODS
from edge_infer.service.classify import Classify
from edge_infer.service.metrics import CONTENT_TYPE
from edge_infer.service.refusal import Refused, stopping
from edge_infer.service.state import State

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["OPENAPI", "OPEN_ROUTES", "PAGE", "PATHS", "make_routes", "route_of"]

#: The name by which logs and metrics know each path.
PATHS = {
    "/v1/classify": "classify",
    "/v1/model": "model",
    "/livez": "livez",
    "/readyz": "readyz",
    "/metrics": "metrics",
    "/openapi.json": "openapi",
}
PAGE = "page"
#: These need no token: probes have none, and the page asks for it.
OPEN_ROUTES = ("livez", "readyz", PAGE)

OPENAPI = files("edge_infer.service") / "openapi.json"


def route_of(path: str) -> str:
    """Return the name of a path: of ``PATHS``, or the page's for all others."""
    return PATHS.get(path, PAGE)


def make_routes(state: State, *, with_page: bool) -> "ASGIApp":
    """Return an application that answers all paths; what it refuses it raises.

    Args:
        state: Of the service.
        with_page: Whether there is a page at ``/``.
    """
    from starlette.exceptions import HTTPException
    from starlette.routing import Route, Router

    plain = _Plain(state, with_page=with_page)
    routes = [Route("/v1/classify", Classify(state), methods=["POST"])]
    routes += [
        Route(path, getattr(plain, name)) for path, name in PATHS.items() if name != "classify"
    ]
    router = Router(routes, redirect_slashes=False, default=plain.page)

    async def answered(scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            # With an "app" Starlette raises what it refuses.
            await router({**scope, "app": router}, receive, send)
        except HTTPException as error:
            raise _refused(error.status_code, error.headers) from None

    return answered


class _Plain:
    """The routes that are answered at once, on the event loop."""

    def __init__(self, state: State, *, with_page: bool) -> None:
        self._state, self._with_page = state, with_page

    async def model(self, _request: "Request") -> "Response":
        return _json(self._state.facts)

    async def livez(self, _request: "Request") -> "Response":
        return _json({"status": "live", "research_use_only": RESEARCH_USE_ONLY})

    async def readyz(self, _request: "Request") -> "Response":
        if self._state.is_stopping:
            raise stopping()
        return _json({"status": "ready", "research_use_only": RESEARCH_USE_ONLY})

    async def metrics(self, _request: "Request") -> "Response":
        return _typed(self._state.metrics_text(), CONTENT_TYPE)

    async def openapi(self, _request: "Request") -> "Response":
        return _typed(OPENAPI.read_bytes(), "application/json")

    async def page(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer every path that is no route."""
        found = static_file(scope["path"]) if self._with_page else None
        if found is None:
            raise _refused(404, None)
        if scope["method"] not in SAFE_METHODS:
            raise _refused(405, {"Allow": ", ".join(SAFE_METHODS)})
        await _typed(*found)(scope, receive, send)


def _json(fields: Mapping[str, Any]) -> "Response":
    return _typed(json.dumps(fields, allow_nan=False) + "\n", "application/json")


def _typed(content: str | bytes, media_type: str) -> "Response":
    from starlette.responses import Response

    return Response(content, headers={"content-type": media_type})


def _refused(status: int, headers: Mapping[str, str] | None) -> Refused:
    if status == 405:
        allowed = tuple((headers or {}).items())
        return Refused(
            405, "bad_request", "this path has no such method", hint="see Allow", headers=allowed
        )
    return Refused(404, "bad_request", "there is nothing at this path", hint="see /openapi.json")
