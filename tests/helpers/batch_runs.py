"""Small archives for ``brain-batch``, its command in a process of its own, and images that end who reads them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tiny_bundle import scan

#: In a folder on PYTHONPATH, every Python runs it first: opening a file named so has the same end as a decoder's crash.
_DEADLY = """
import os, signal, sys

def _end(event, arguments):
    if event == "open" and "deadly" in os.path.basename(str(arguments[0])):
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "open" and "buggy" in os.path.basename(str(arguments[0])):
        raise ZeroDivisionError("of a reader")

sys.addaudithook(_end)
"""


def archive_of(folder: Path, count: int, *, names: str = "scan") -> Path:
    """A folder of images that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        scan(number).save(folder / f"{names}{number:03}.png")
    return folder


def deadly_path(folder: Path) -> str:
    """A value for PYTHONPATH with which opening a file ``*deadly*`` ends the process, and ``*buggy*`` is an error."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_DEADLY, encoding="utf-8")
    return str(folder)


def batch_process(*words: object, **environment: str) -> "subprocess.Popen[str]":
    """``brain-batch`` that has begun, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge_infer.batch_cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **environment},
        start_new_session=True,
    )


def batch(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """``brain-batch`` that has ended."""
    process = batch_process(*words, **environment)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def rows_of(output: Path) -> list[str]:
    """All rows of a run, as lines, in order."""
    return [
        line
        for part in sorted((output / "parts").glob("part-*.jsonl"))
        for line in part.read_text(encoding="utf-8").splitlines()
    ]


def answered_in(output: Path) -> int:
    """How many units have been answered so far, in files and journals."""
    journals = (output / "work").glob("part-*.jsonl")
    kept = sum(path.read_bytes().count(b'{"unit"') for path in journals if path.exists())
    return kept + sum(
        json.loads(path.read_bytes())["units"]
        for path in (output / "statistics").glob("part-*.json")
    )


def wait_for(condition: object, seconds: float = 60.0) -> None:
    """Wait until a call gives something true."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def workers_of(driver: int) -> list[int]:
    """Processes that a driver started to answer, by their command."""
    return [child for child in _children(driver) if b"spawn_main" in _command(child)]


def is_alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in "ZX"


def kill(process: int) -> None:
    """End a process as a machine without memory does."""
    os.kill(process, signal.SIGKILL)


def _children(process: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            yield int(path.parent.name)


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""
