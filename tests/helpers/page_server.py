"""A small server that shows the page and answers as brain-serve does, and that fails as a test plans it."""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edge_infer.answer_lines import AnswerLines, bundle_facts
from edge_infer.classifier import Classifier
from edge_infer.page import static_file

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Refusal:
    """A planned answer of an error."""

    status: int
    code: str = "planned"
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    is_json: bool = True


@dataclass
class PageServer:
    """What runs, what it was asked, and what it will do instead of answering."""

    url: str
    classifier: Classifier
    plan: deque[Refusal | str] = field(default_factory=deque)
    token: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    #: Before each line, to see a stream arrive.
    seconds_a_line: float = 0.0
    #: An answer waits for it.
    may_answer: threading.Event = field(default_factory=threading.Event)
    #: In place of the answers of the model.
    lines: list[dict[str, Any]] | None = None
    #: Whether these lines name the model that they say, and not the one that is served.
    keeps_model: bool = False
    #: Changes of what it says of itself.
    facts: dict[str, Any] = field(default_factory=dict)

    def reset(self) -> None:
        """Be as at first."""
        self.may_answer.set()
        self.plan.clear()
        self.asked.clear()
        self.facts.clear()
        self.token, self.seconds_a_line, self.lines, self.keeps_model = "", 0.0, None, False

    @property
    def bodies(self) -> list[bytes]:
        """What was sent to be classified."""
        return [one["body"] for one in self.asked]


@contextmanager
def page_server(classifier: Classifier) -> Iterator[PageServer]:
    """Serve on a free port of the loopback."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.daemon_threads = True
    server = PageServer(url=f"http://127.0.0.1:{httpd.server_port}/", classifier=classifier)
    server.may_answer.set()
    httpd.page = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.may_answer.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _page(self) -> PageServer:
        return self.server.page  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/v1/model":
            if self._is_known():
                facts = {**bundle_facts(self._page.classifier), **self._page.facts}
                self._send(200, json.dumps(facts).encode(), "application/json")
            return
        found = static_file(path)
        self._send(404, b"", "text/plain") if found is None else self._send(200, *found)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        page = self._page
        page.asked.append({"path": self.path, "headers": dict(self.headers), "body": body})
        if not self._is_known():
            return
        planned = page.plan.popleft() if page.plan else None
        if isinstance(planned, Refusal):
            self._refuse(planned)
        elif planned == "hang up":
            self._hang_up()
        else:
            self._answer(body, cut=planned == "cut")

    def _answer(self, body: bytes, *, cut: bool) -> None:
        page = self._page
        page.may_answer.wait()
        self.send_response(200)
        self.send_header("Content-Type", "application/jsonl")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        lines = page.lines
        if lines is None:
            lines = list(AnswerLines(page.classifier).of_content(body, view=True))
            steps = [{"kind": "progress", "done": 1, "total": len(lines)}]
            lines = steps * (len(lines) > 1) + lines
        elif not page.keeps_model:
            model = bundle_facts(page.classifier)["model"]
            lines = [{**line, "model": model} if "model" in line else line for line in lines]
        for line in lines:
            time.sleep(page.seconds_a_line)
            text = json.dumps(line).encode() + b"\n"
            if cut:
                text = text[: len(text) // 2]
            try:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.flush()
            except OSError:
                return
            if cut:
                self._hang_up()
                return
        self.wfile.write(b"0\r\n\r\n")

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _is_known(self) -> bool:
        expected = f"Bearer {self._page.token}"
        if self._page.token and self.headers.get("Authorization") != expected:
            self._refuse(Refusal(401, "unauthorized", "a token is needed"))
            return False
        return True

    def _refuse(self, refusal: Refusal) -> None:
        body = {"error": {"code": refusal.code, "message": refusal.message, "hint": ""}}
        content = json.dumps(body).encode() if refusal.is_json else b"<h1>proxy</h1>"
        self._send(refusal.status, content, "application/json", refusal.headers)

    def _send(
        self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
