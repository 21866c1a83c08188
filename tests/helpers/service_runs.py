"""A ``brain-serve`` in a process of its own, and a client that does only what it is told, byte by byte."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Connection", "Response", "Service", "ask_until_refused", "request_bytes", "wait_until"]


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; ``is_whole`` tells whether its end came, too."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


class Service:
    """A service that has said that it is ready."""

    def __init__(
        self,
        *words: object,
        log: Path,
        program: Sequence[str] = ("-m", "edge_infer.serve_cli"),
        unix_socket: Path | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        seconds: float = 60,
    ) -> None:
        where = ["--port", "0"] if unix_socket is None else ["--unix-socket", str(unix_socket)]
        self.log, self.unix_socket = log, unix_socket
        self._connections: set[Connection] = set()
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *program, *where, *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **(env or {})}
                if cwd is None
                else env,
                cwd=cwd,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait(seconds)}: {log.read_text()}"
        self.ready: dict[str, Any] = json.loads(line)
        self.port = 0 if unix_socket else int(self.ready["url"].rpartition(":")[2])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}" if self.unix_socket is None else "localhost"

    def connect(self, *, tls: ssl.SSLContext | None = None, timeout_s: float = 30) -> "Connection":
        """A new connection."""
        if self.unix_socket is not None:
            opened = socket.socket(socket.AF_UNIX)
            opened.settimeout(timeout_s)
            opened.connect(str(self.unix_socket))
        else:
            opened = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        if tls is not None:
            opened = tls.wrap_socket(opened, server_hostname="localhost")
        connection = Connection(opened)
        self._connections.add(connection)
        return connection

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        **headers: str,
    ) -> Response:
        """One request on a connection of its own; ``x_y`` is the header X-Y."""
        with self.connect(tls=tls) as connection:
            connection.send(request_bytes(method, path, body, **{"host": self.host, **headers}))
            return connection.receive(is_head=method == "HEAD")

    def classify(self, body: bytes, *, query: str = "", **headers: str) -> Response:
        """One request for an answer."""
        return self.ask("POST", f"/v1/classify{query}", body, **headers)

    def metric(self, name: str) -> float:
        """The sum of the samples whose name and labels begin so."""
        text = self.ask("GET", "/metrics").body.decode()
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(f"brain_serve_{name}")
        )

    @property
    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @property
    def rss_mb(self) -> float:
        """Memory in MB of 10^6 bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def stop(self, *, seconds: float = 40) -> int:
        """End it in order and return its exit status."""
        self.signal()
        return self.process.wait(seconds)

    def end(self) -> None:
        """End it, if it runs, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for connection in self._connections:
            connection.socket.close()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Connection:
    """A socket that knows where an HTTP response ends."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self._rest = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, *, is_head: bool = False) -> Response:
        """The next response; of a body without its end what came."""
        head, _, self._rest = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if status == 100:
            return self.receive(is_head=is_head)
        if is_head:
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return self._chunked(status, headers)
        size = int(headers["content-length"])
        while len(self._rest) < size and (data := self.socket.recv(2**18)):
            self._rest += data
        body, self._rest = self._rest[:size], self._rest[size:]
        return Response(status, headers, body, is_whole=len(body) == size)

    def _chunked(self, status: int, headers: dict[str, str]) -> Response:
        body = b""
        for chunk in self.chunks():
            if not chunk:
                return Response(status, headers, body)
            body += chunk
        return Response(status, headers, body, is_whole=False)

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a body as they come; the last of a whole body is empty."""
        while True:
            try:
                line, _, self._rest = self._until(b"\r\n").partition(b"\r\n")
                size = int(line, 16)
                while len(self._rest) < size + 2:
                    self._rest += self._more()
            except ConnectionError:
                return
            chunk, self._rest = self._rest[:size], self._rest[size + 2 :]
            yield chunk
            if not chunk:
                return

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        return self._rest

    def _more(self) -> bytes:
        data = self.socket.recv(2**18)
        if not data:
            raise ConnectionAbortedError("closed without a response")
        return data

    @property
    def is_closed(self) -> bool:
        """Whether the other side ends the connection within the time-out."""
        try:
            while self.socket.recv(2**16):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def reset(self) -> None:
        """Go away as a killed program does."""
        linger = b"\x01\0\0\0\0\0\0\0"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def request_bytes(
    method: str, path: str, body: bytes | None = None, *, host: str, **headers: str
) -> bytes:
    """A request, complete with its body; ``content_length`` may lie."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and "transfer-encoding" not in named:
        named.setdefault("content-length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def wait_until(condition: Any, *, seconds: float = 10) -> None:
    """Wait until it is true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds} s"
        time.sleep(0.02)


def ask_until_refused(service: Service, content: bytes, outcomes: list[str]) -> None:
    """Ask on and on, on connections that are kept, until the service lets nobody in.

    Args:
        service: Stopped meanwhile.
        content: Of each request.
        outcomes: Gets the status of each answer, and ``lost`` for a request that was sent and not answered.
    """
    request = request_bytes("POST", "/v1/classify", content, host=service.host)
    while True:
        try:
            connection = service.connect()
        except ConnectionError:
            return
        with connection:
            is_kept = True
            while is_kept:
                try:
                    connection.send(request)
                    response = connection.receive()
                except ConnectionError:
                    outcomes.append("lost")
                    return
                outcomes.append(str(response.status))
                is_kept = response.headers.get("connection") != "close"
