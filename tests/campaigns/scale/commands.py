"""Run a command to its end, and see from outside what it takes: time, memory, ports, all of its processes."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scale.watching import MARK, Watch, end, new_mark

__all__ = ["Ended", "run_watched"]

#: Called while it runs; may kill it. Returns once there is nothing more to do.
Meddle = Callable[["subprocess.Popen[str]"], None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that came to an end.

    Attributes:
        how: ``finished``, ``status N``, ``hung for N s``.
        stdout: What it printed.
        stderr: What it complained of.
        mark: What its processes carry.
        seen: Figures: ``total_s``, ``cpu_s``, ``peak_bytes`` (proportional set size of all processes), ...
    """

    how: str
    stdout: str
    stderr: str
    mark: str
    seen: dict[str, Any]


def run_watched(
    words: list[str],
    *,
    folder: Path,
    limit_s: float,
    variables: Mapping[str, str] | None = None,
    meddle: Meddle | None = None,
    every_s: float = 0.5,
    end_all: bool = True,
) -> Ended:
    """Run it.

    Args:
        words: The command.
        folder: Where it runs.
        limit_s: It is killed after this time.
        variables: Of its environment, besides those of this process.
        meddle: Is called once it has started.
        every_s: How often to look.
        end_all: Kill what is left of its processes, and count them as ``left_processes``.
    """
    mark = new_mark()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.time()
    started = {"SCALE_STARTED": repr(begun), MARK: mark}
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, **(variables or {}), **started},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = Watch(mark, every_s)
    with watch.watching():
        if meddle is not None:
            meddle(process)
        stdout, stderr, how = _finish(process, limit_s)
    total_s = time.time() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seen: dict[str, Any] = {
        "total_s": total_s,
        # Whom somebody else waited for is in the one sum only, the time since the last look in the other.
        "cpu_s": max(watch.cpu_s, _cpu(after) - _cpu(before)),
        "most_processes": watch.most_processes,
        "peak_bytes": watch.peak_bytes,
        "open_addresses": sorted({address for address, _ in watch.open_ports}),
        "memory": watch.memory,
    }
    if end_all:
        seen["left_processes"] = end(mark)
    return Ended(how=how, stdout=stdout, stderr=stderr, mark=mark, seen=seen)


def _finish(process: "subprocess.Popen[str]", limit_s: float) -> tuple[str, str, str]:
    texts: dict[str, str] = {}

    def read(name: str) -> None:
        texts[name] = getattr(process, name).read()

    readers = [
        threading.Thread(target=read, args=(name,), daemon=True) for name in ("stdout", "stderr")
    ]
    for reader in readers:
        reader.start()
    try:
        status = process.wait(timeout=limit_s)
        how = "finished" if status == 0 else f"status {status}"
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        how = f"hung for {limit_s:.0f} s"
    for reader in readers:
        reader.join(timeout=2)  # a process that it left behind may hold the pipes open
    return texts.get("stdout", ""), texts.get("stderr", ""), how


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime
