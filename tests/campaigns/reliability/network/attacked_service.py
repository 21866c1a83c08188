"""The services that R20 attacks, each as a program: ``attacked_service.py ours|control|raw --bundle FOLDER --port 0``.

``ours`` is ``brain-serve`` with a shorter time for a head, so that a trial does not take ten seconds. ``control`` is
the same code without its limits, also those of what a file unpacks to, without its checks of a body's framing and of
the host, with one place in memory for the content of all requests, and with refusals that leave it as errors of its
own. ``raw`` is what the tutorials of the libraries show: Starlette, uvicorn, Pillow and onnxruntime. All three may have
few open files, as in a container, and end with the process that started them.
"""

import ctypes
import hashlib
import io
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["HEAD_S", "OPEN_FILES", "main"]

#: Of all three: most files that may be open.
OPEN_FILES = 200
#: Of ours: how long the head of a request may take.
HEAD_S = 1.0

_OFF = 10**9
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    kind = sys.argv.pop(1)
    {"ours": _ours, "control": _control, "raw": _raw}[kind]()


def _ours() -> None:
    from edge_infer.serve_cli import main as serve

    _change_limits(head_s=HEAD_S)
    serve()


def _control() -> None:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from edge_infer.answer_lines import AnswerLines
    from edge_infer.serve_cli import main as serve
    from edge_infer.service import guard, server, serving, state
    from edge_infer.service.access import Access
    from edge_infer.service.bodies import Body
    from edge_infer.service.connection import Connection

    class Boundless(Connection):
        """uvicorn's own connection."""

        connection_made = H11Protocol.connection_made  # type: ignore[assignment]
        data_received = H11Protocol.data_received

        def look_after(self, now: float) -> None:
            """Do nothing."""

    class OnePlace(AnswerLines):
        """Keeps what it was asked in one place for all requests."""

        def of_content(self, content: bytes, **options: Any) -> Any:
            """Answer whatever lies in that place a moment later."""
            self._place = content
            time.sleep(0.002)
            yield from super().of_content(self._place, **options)

    times = {f"{name}_s": _OFF for name in ("head", "body", "answer", "stall", "idle")}
    sizes = dict.fromkeys(("queue", "body_bytes", "total_bytes", "connections"), _OFF)
    _change_limits(**times, **sizes)
    guard._check_framing = lambda _headers: None
    Access.check_host = lambda _self, _headers: None  # type: ignore[method-assign]
    Body.unpack = lambda _self, _layer, _count, _name: None  # type: ignore[method-assign]
    refuse = guard._Answering.refuse

    async def fail(answering: Any, refused: Any) -> None:
        refused.status = 500
        await refuse(answering, refused)

    guard._Answering.refuse = fail  # type: ignore[method-assign]
    server.Connection = Boundless  # type: ignore[misc]
    serving.within_open_files = lambda limits: limits
    state.AnswerLines = OnePlace  # type: ignore[misc]
    serve()


def _change_limits(**changes: Any) -> None:
    from edge_infer.service import limits

    made = limits.Limits
    limits.Limits = lambda **given: made(**{**given, **changes})  # type: ignore[assignment, misc]


def _raw() -> None:
    import numpy as np
    import onnxruntime
    import uvicorn
    from PIL import Image
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    session = onnxruntime.InferenceSession(
        Path(sys.argv[sys.argv.index("--bundle") + 1]) / "model.onnx"
    )
    (wanted,) = session.get_inputs()
    height, width = wanted.shape[2:]

    async def classify(request: Request) -> JSONResponse:
        body = await request.body()
        image = Image.open(io.BytesIO(body)).convert("RGB").resize((width, height))
        values = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255
        logits = session.run(["logits"], {wanted.name: values})[0][0]
        return JSONResponse(
            {"source_sha256": hashlib.sha256(body).hexdigest(), "label": int(logits.argmax())}
        )

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    app = Starlette(
        routes=[Route("/v1/classify", classify, methods=["POST"]), Route("/livez", live)]
    )
    bound = socket.create_server(("127.0.0.1", 0))
    ready = {"url": f"http://127.0.0.1:{bound.getsockname()[1]}", "unix_socket": None}
    os.write(1, json.dumps(ready).encode() + b"\n")
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[bound])


if __name__ == "__main__":
    main()
