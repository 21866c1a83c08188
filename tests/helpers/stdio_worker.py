"""A worker for host programs (--serve-stdio), seen from a host."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_infer.classifier import Classifier
from edge_infer.errors import HostOutOfStep
from edge_infer.stdio.answers import Answers
from edge_infer.stdio.serving import _serve

__all__ = ["Event", "HostedWorker", "Session", "encoded", "lines_of"]

Event = dict[str, Any]

_LONGEST_S = 60


def encoded(fields: Mapping[str, Any], content: bytes | None = None) -> bytes:
    """One request as bytes, with its content."""
    if content is None:
        return json.dumps(fields).encode() + b"\n"
    return json.dumps({**fields, "length": len(content)}).encode() + b"\n" + content


class HostedWorker:
    """A worker and its pipes. Lines are read as they come, unless ``reads`` is false.

    Args:
        options: Of brain-infer.
        program: Python's arguments that start it.
        environment: Added to that of this process.
        reads: Whether to read what it says.
    """

    def __init__(
        self,
        *options: object,
        program: Sequence[str] = ("-m", "edge_infer"),
        environment: Mapping[str, str] | None = None,
        reads: bool = True,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *program, "--serve-stdio", "--threads", "1", *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            # A test run in the background of a shell has SIGINT ignored, and its children inherit that.
            preexec_fn=_heed_interrupts if os.name == "posix" else None,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self._told: bytes | None = None  # on standard error
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()

    def start_reading(self) -> None:
        self._reader.start()

    def send(self, fields: Mapping[str, Any], content: bytes | None = None) -> None:
        self.write(encoded(fields, content))

    def write(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def line(self) -> bytes:
        """The next line with its end; nothing at the end of its output."""
        return self._lines.get(timeout=_LONGEST_S)

    def event(self) -> Event:
        """The next line, which must be an object of ASCII JSON with an event."""
        line = self.line()
        assert line.endswith(b"\n"), line[-200:]
        event = json.loads(line.decode("ascii"))
        assert isinstance(event["event"], str)
        return dict(event)

    def until(self, identity: str | int) -> list[Event]:
        """The lines up to the last one of a request."""
        events = [self.event()]
        while not (events[-1].get("id") == identity and events[-1]["event"] in ("done", "error")):
            events.append(self.event())
        return events

    def answers(self, identity: str | int) -> list[dict[str, Any]]:
        """The answers of a request that is carried out."""
        *events, last = self.until(identity)
        lines = [one["line"] for one in events if one["event"] == "result"]
        assert last == {"event": "done", "id": identity, "lines": len(lines)}
        return lines

    def rest(self) -> list[Event]:
        """All lines up to the end of its output."""
        events = []
        while line := self.line():
            events.append(json.loads(line))
        return events

    def ended(self) -> tuple[int, bytes]:
        """Exit status and standard error, once it has ended."""
        status = self.process.wait(_LONGEST_S)
        if self._told is None:
            assert self.process.stderr
            self._told = self.process.stderr.read()
        return status, self._told

    def close(self) -> tuple[list[Event], int]:
        """End standard input; what it still says, and its exit status."""
        self.stdin.close()
        return self.rest(), self.ended()[0]

    def memory_kib(self) -> int:
        """Resident memory (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def cpu_s(self) -> float:
        """Processor time so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "HostedWorker":
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        if self._reader.ident is not None:
            self._reader.join(_LONGEST_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # all three are pipes

    def _read(self) -> None:
        for line in self.stdout:
            self._lines.put(line)
        self._lines.put(b"")


class Session:
    """All that a host says, and all that a worker in this process answers.

    Attributes:
        events: The lines, each of which was an object of ASCII JSON.
        status: With which it ends.
    """

    def __init__(self, classifier: Classifier, said: bytes) -> None:
        requests, feed = os.pipe()
        heard, answers = os.pipe()
        self.status = 0

        def serve() -> None:
            try:
                _serve(lambda: classifier, requests, Answers(answers), (), None)
            except HostOutOfStep as error:
                self.status = error.exit_code
            os.close(answers)

        def write() -> None:
            with os.fdopen(feed, "wb") as stream, contextlib.suppress(BrokenPipeError):
                stream.write(said)
                stream.flush()

        threads = [threading.Thread(target=one) for one in (serve, write)]
        for one in threads:
            one.start()
        with os.fdopen(heard, "rb") as stream:
            lines = stream.readlines()
        threads[0].join(_LONGEST_S)
        os.close(requests)
        threads[1].join(_LONGEST_S)
        assert not any(one.is_alive() for one in threads)
        assert all(line.endswith(b"\n") for line in lines)
        self.events: list[Event] = [json.loads(line.decode("ascii")) for line in lines]


def lines_of(events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    """The answers among lines."""
    return (one["line"] for one in events if one["event"] == "result")


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
