"""The parent's side of a worker process: start it, send requests, end it."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from edge_infer.errors import InferenceFailed, TimedOut

__all__ = ["Worker", "cold_start", "without_places", "worker_environment"]

_ROOT = Path(__file__).resolve().parents[1]
#: Packages of this project that a peer's environment may import; it must have everything else itself.
_SHARED = ("benchmarks", "edge_infer")
_SLOW_SECONDS = 900.0  # enough for the first call of a compiled model
_STDERR_TAIL = 2000


class Worker:
    """One engine in its own process.

    Args:
        name: For messages.
        config: For the adapter.
        python: Interpreter; None is this one.
        threads: Number of threads of its pools, and of cores it is pinned to.
    """

    def __init__(
        self, name: str, config: Mapping[str, Any], *, python: Path | None = None, threads: int = 1
    ) -> None:
        self.name = name
        self._links = contextlib.ExitStack()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the worker
        environment = worker_environment(threads)
        if python is not None:
            environment["PYTHONPATH"] = self._links.enter_context(_shared_packages())
        full = {**config, "threads": threads}
        self._process = subprocess.Popen(  # noqa: S603 -- our own module
            _command(python, full),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            cwd=_ROOT,
        )
        _pin(self._process.pid, threads)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, do: str, *, timeout: float = _SLOW_SECONDS, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for its reply.

        Raises:
            InferenceFailed: The engine failed, or its process has ended.
            TimedOut: There was no reply in time; the process is ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ValueError("the worker is closed")
        try:
            stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            stdin.flush()
        except OSError:
            raise self._ended() from None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                self._process.kill()
                raise TimedOut(f"{self.name}: no reply to {do!r} within {timeout:.0f} s")
        line = stdout.readline()
        if not line:
            raise self._ended()
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise InferenceFailed(f"{self.name}: {without_places(reply['error'])}")
        return reply

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._stderr.close()
        self._links.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ended(self) -> InferenceFailed:
        code = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read()[-_STDERR_TAIL:].decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "it said nothing"
        return InferenceFailed(
            f"{self.name}: its process ended with status {code} ({without_places(said)})"
        )


def cold_start(
    name: str,
    config: Mapping[str, Any],
    scan: str,
    *,
    python: Path | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Start a new process, wait for its first answer, and return its reply with ``wall_seconds``.

    Raises:
        InferenceFailed: It did not answer.
    """
    with contextlib.ExitStack() as links:
        environment = worker_environment(threads)
        if python is not None:
            environment["PYTHONPATH"] = links.enter_context(_shared_packages())
        full = {**config, "threads": threads, "once": scan}
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 -- our own module
            _command(python, full),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=_ROOT,
        )
        _pin(process.pid, threads)
        with process:
            line = process.stdout.readline() if process.stdout else b""
            wall_seconds = time.perf_counter() - started
            _, said = process.communicate()
    if not line:
        tail = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise InferenceFailed(f"{name}: no answer from a new process ({without_places(tail[0])})")
    reply: dict[str, Any] = json.loads(line)
    return {**reply, "wall_seconds": wall_seconds}


def worker_environment(threads: int) -> dict[str, str]:
    """Return a worker's environment: pools of ``threads`` threads that do not spin when idle, and no network."""
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {
        **kept,
        **{name: str(threads) for name in pools},
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
        "ORT_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def without_places(text: str) -> str:
    """Remove this machine's folders from an engine's message, since results are passed on."""
    for place in (tempfile.gettempdir(), str(_ROOT), str(Path.cwd()), str(Path.home())):
        text = text.replace(f"{place}{os.sep}", "")
    return text


def _command(python: Path | None, config: Mapping[str, Any]) -> list[str]:
    # Not resolved: a venv's interpreter is a link to one outside of the venv.
    return [str(python or sys.executable), "-m", "benchmarks.worker", json.dumps(config)]


def _pin(pid: int, threads: int) -> None:
    """Pin a process that has just started; its threads inherit it. To the last cores: the first serve interrupts."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(ProcessLookupError):
            # Of all that the process may use, not only as many as its quota allows: each thread gets a core of its own.
            os.sched_setaffinity(pid, _allowed_cores()[-threads:])


def _allowed_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def _shared_packages() -> Iterator[str]:
    """Yield a folder with links to the packages of this project that a peer needs, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        for name in _SHARED:
            (Path(folder) / name).symlink_to(_ROOT / name, target_is_directory=True)
        yield folder
