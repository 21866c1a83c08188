"""Time each way of embedding beside Classifier in the same minute: to the first answer, and for each further image.

    python tests/campaigns/embedding_times.py [--rounds 40] [--cpp BINARY --runtime LIBRARY] [--end-to-end MODEL.onnx]
        [--frozen PROGRAM]

Ways that stay open (Classifier, HTTP, stdio) are asked in turn, a round after the other, each with the four scans of
examples/. Ways that are processes (brain-infer, Node, C++) are started with one scan, and with all four twenty times:
the difference is the time of an image. Prints a table in Markdown and one JSON object.
"""

import argparse
import contextlib
import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ROOT = Path(__file__).parents[2]
SCANS = sorted((ROOT / "examples").glob("*.jpg"))
BIN = Path(sys.executable).parent
MANY = 20
THREADS = 1
#: Answers one image of these bytes, and returns its label and its probabilities.
Ask = Callable[[bytes], dict[str, Any]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--cpp", type=Path)
    parser.add_argument("--runtime", type=Path)
    parser.add_argument("--end-to-end", type=Path)
    parser.add_argument("--frozen", type=Path)
    given = parser.parse_args()
    contents = [path.read_bytes() for path in SCANS]
    opens = {
        "`Classifier` in the process": in_process,
        "`brain-serve`, unix socket": over_unix_socket,
        "`brain-serve`, loopback": over_loopback,
        "`brain-infer --serve-stdio`": lambda: over_stdio([BIN / "brain-infer"]),
    }
    if given.frozen:
        opens["frozen worker (PyInstaller)"] = lambda: over_stdio([given.frozen])
    rows, expected = staying_open(opens, contents, given.rounds, given.starts)
    rows |= processes(given, expected)
    base = rows["`Classifier` in the process"]["image_ms"]
    print(
        "| Way | first answer, s | each image, ms | beside `Classifier` | labels |\n|---|---|---|---|---|"
    )
    for name, row in rows.items():
        ratio = row["image_ms"] / base
        print(
            f"| {name} | {row['first_s']:.2f} | {row['image_ms']:.1f} | x {ratio:.2f} | {row['labels']} |"
        )
    print(
        json.dumps(
            {"processor": processor(), "threads": THREADS, "rounds": given.rounds, "ways": rows}
        )
    )


def staying_open(
    opens: dict[str, Callable[[], Any]], contents: list[bytes], rounds: int, starts: int
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Time ways that stay open, in turn."""
    first: dict[str, list[float]] = {name: [] for name in opens}
    for _ in range(starts):
        for name, way in opens.items():
            started = time.perf_counter()
            with way() as ask:
                ask(contents[0])
                first[name].append(time.perf_counter() - started)
    times: dict[str, list[float]] = {name: [] for name in opens}
    found: dict[str, list[str]] = {}
    with contextlib.ExitStack() as stack:
        asks = {name: stack.enter_context(way()) for name, way in opens.items()}
        for name, ask in asks.items():
            found[name] = [ask(content)["label"] for content in contents]
        for _ in range(rounds):
            for name, ask in asks.items():
                for content in contents:
                    started = time.perf_counter()
                    ask(content)
                    times[name].append(1000 * (time.perf_counter() - started))
    expected = next(iter(found.values()))
    rows = {
        name: {
            "first_s": statistics.median(first[name]),
            "image_ms": statistics.median(times[name]),
            "labels": agreement(found[name], expected),
        }
        for name in opens
    }
    return rows, expected


def processes(given: argparse.Namespace, expected: list[str]) -> dict[str, dict[str, Any]]:
    """Time ways that start a process for a batch, by the difference of a large and a small batch."""
    commands: dict[str, list[Any]] = {
        "`brain-infer --json`": [BIN / "brain-infer", "--json", "--threads", THREADS]
    }
    model = given.end_to_end
    if model and shutil.which("node") and (ROOT / "examples/node/node_modules").is_dir():
        commands["Node, one-file model"] = ["node", ROOT / "examples/node/classify.mjs", model]
    if model and given.cpp and given.runtime:
        options = ["--runtime", given.runtime, "--model", model, "--threads", THREADS]
        commands["C++, one-file model"] = [given.cpp, *options]
    rows = {}
    for name, command in commands.items():
        small, large, labels = [], [], []
        for _ in range(given.starts):
            started = time.perf_counter()
            labels = batch(command, SCANS[:1])
            small.append(time.perf_counter() - started)
            started = time.perf_counter()
            labels = batch(command, SCANS * MANY)
            large.append(time.perf_counter() - started)
        each = (statistics.median(large) - statistics.median(small)) / (len(SCANS) * MANY - 1)
        rows[name] = {
            "first_s": statistics.median(small),
            "image_ms": 1000 * each,
            "labels": agreement(labels[: len(SCANS)], expected),
        }
    return rows


def batch(command: list[Any], files: list[Path]) -> list[str]:
    """Run a command on files and return their labels."""
    done = subprocess.run([*map(str, command), *map(str, files)], check=True, capture_output=True)
    return [json.loads(line)["label"] for line in done.stdout.splitlines()]


@contextlib.contextmanager
def in_process() -> Iterator[Ask]:
    """Load a classifier, as a fresh process would, but for the imports that are there already."""
    from edge_infer import Classifier

    classifier = Classifier.load(num_threads=THREADS)
    yield lambda content: {"label": classifier.predict(content).label}


@contextlib.contextmanager
def over_unix_socket() -> Iterator[Ask]:
    """Start a service at a socket of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        with serving("--unix-socket", path):
            connection = http.client.HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.connect(str(path))
            yield lambda content: posted(connection, content)
            connection.close()


@contextlib.contextmanager
def over_loopback() -> Iterator[Ask]:
    """Start a service at a free port."""
    with serving("--port", 0) as ready:
        connection = http.client.HTTPConnection(ready["url"].removeprefix("http://"))
        yield lambda content: posted(connection, content)
        connection.close()


@contextlib.contextmanager
def serving(*options: object) -> Iterator[dict[str, Any]]:
    """Start brain-serve and wait until it says that it is ready."""
    words = [BIN / "brain-serve", "--threads", THREADS, "--workers", 1, "--no-page", *options]
    process = subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def posted(connection: http.client.HTTPConnection, content: bytes) -> dict[str, Any]:
    """Ask the service."""
    connection.request("POST", "/v1/classify", body=content)
    line: dict[str, Any] = json.loads(connection.getresponse().read())
    return line


@contextlib.contextmanager
def over_stdio(command: list[Path]) -> Iterator[Ask]:
    """Start a worker and speak its protocol (docs/stdio.md)."""
    words = [*map(str, command), "--serve-stdio", "--threads", str(THREADS)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None
    ready = json.loads(stdout.readline())
    assert ready["event"] == "ready", ready

    def ask(content: bytes) -> dict[str, Any]:
        request = {"id": 1, "method": "classify", "length": len(content)}
        stdin.write(json.dumps(request).encode() + b"\n" + content)
        stdin.flush()
        result = json.loads(stdout.readline())
        assert json.loads(stdout.readline())["event"] == "done"
        line: dict[str, Any] = result["line"]
        return line

    try:
        yield ask
    finally:
        stdin.close()
        process.wait(timeout=30)
        stdout.close()


def agreement(found: list[str], expected: list[str]) -> str:
    """Say how many labels are those of ``Classifier``."""
    return f"{sum(a == b for a, b in zip(found, expected, strict=True))} of {len(expected)}"


def processor() -> str:
    """Name the processor, and whether it has VNNI."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    vnni = "with" if "vnni" in named.get("flags", "") else "without"
    return f"{named.get('model name', platform.processor())}, {vnni} VNNI, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
