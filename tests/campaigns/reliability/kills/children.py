"""Children that are killed or given failing system calls: forked from a warm process, watched by strace.

A fork costs milliseconds where a new Python costs half a second, and has imported everything: so the calls that fail
are those of the writing, and not those of importing.
"""

import functools
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_infer.console import shown_to_user

__all__ = ["CHANGING", "Ended", "be_watched", "missing_strace", "run_child"]

#: What changes or flushes something on a disk. A question mark: not every processor has the call.
CHANGING = (
    *("write", "pwrite64", "openat", "close", "fsync", "fdatasync", "msync"),
    *("ftruncate", "fallocate", "flock", "fchmod", "fchown"),
    *("?rename", "?renameat", "renameat2", "?link", "linkat"),
    *("?unlink", "unlinkat", "?mkdir", "mkdirat", "?rmdir"),
)

#: What strace answers to a question that nobody else asks: so the child knows that it is watched.
_WATCHED = 13
_QUESTION = "getpriority"
_CALL = re.compile(r"^\d+\s+(\w+)\(")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a child ended.

    Attributes:
        status: Exit status; below 0 the signal that killed it.
        said: Its stderr.
        calls: Names of the system calls in their order; without strace none.
        faults: How many of them were made to fail.
        seconds: From its start to its end.
    """

    status: int
    said: str
    calls: tuple[str, ...] = ()
    faults: int = 0
    seconds: float = 0.0


def run_child(
    work: Callable[[], object],
    *,
    inject: Sequence[str] = (),
    trace: Sequence[str] = (),
    kill_after_s: float | None = None,
    late: bool = False,
    stdout: Path | None = None,
    limit_s: float = 300.0,
) -> Ended:
    """Run ``work`` in a forked child as a command does: errors become lines on stderr and an exit status.

    Args:
        work: Called in the child.
        inject: What strace is to do, such as ``fsync:error=EIO:when=2`` or ``write:signal=KILL:when=7``.
        trace: System calls that are counted.
        kill_after_s: Kill it after this time.
        late: Watch it only once it calls ``be_watched``: strace slows each call of a long computation down.
        stdout: Where its output goes; by default nowhere.
        limit_s: A child that takes longer hangs.

    Raises:
        TimeoutError: It did not end.
    """
    with tempfile.TemporaryDirectory(prefix="watched-") as place:
        said, log = Path(place) / "said", Path(place) / "log"
        watched = bool(inject or trace)
        streams = [os.open(os.devnull, os.O_RDONLY), _opened(stdout), _opened(said)]
        begins, begin = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _BEGIN[:] = [begin if late else -1] if watched else []
            _be_child(work, streams, watched=watched and not late)
        for descriptor in (begin, *streams):
            os.close(descriptor)
        end = began + limit_s
        if watched and late:
            select.select([begins], [], [], limit_s)  # also ready once the child has ended
        os.close(begins)
        watcher = _watch(pid, inject, trace, log) if watched else None
        if kill_after_s is not None:
            _ended_within(pid, kill_after_s)
            os.kill(pid, signal.SIGKILL)
        has_ended = _ended_within(pid, end - time.monotonic())
        if not has_ended:
            os.kill(pid, signal.SIGKILL)
        _, code = os.waitpid(pid, 0)
        seconds = time.monotonic() - began
        if watcher is not None:
            watcher.wait(10)
        if not has_ended:
            raise TimeoutError(f"a child did not end within {limit_s} s")
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        calls = [match.group(1) for match in map(_CALL.match, lines) if match]
        return Ended(
            status=os.waitstatus_to_exitcode(code),
            said=said.read_text("utf-8", "replace"),
            calls=tuple(call for call in calls if call != _QUESTION),
            faults=sum("(INJECTED" in line and f" {_QUESTION}(" not in line for line in lines),
            seconds=seconds,
        )


@functools.cache
def missing_strace() -> str | None:
    """Say what keeps strace from watching a child here; None if nothing does."""
    if sys.platform != "linux":
        return "system calls are watched on Linux only"
    if shutil.which("strace") is None:
        return "strace is not installed"
    try:
        ended = run_child(lambda: os.fsync(1), inject=["fsync:error=EIO:when=1"], limit_s=10)
    except TimeoutError:
        return "strace is not allowed to watch a child"
    return None if ended.faults else "strace cannot make system calls fail here"


def be_watched() -> None:
    """In a child that is to be watched: wait until strace is there; otherwise, and a second time, do nothing."""
    if not _BEGIN:
        return
    if _BEGIN[0] >= 0:
        os.write(_BEGIN[0], b"!")
    _BEGIN.clear()
    end = time.monotonic() + 10
    while os.getpriority(os.PRIO_PROCESS, 0) != 20 - _WATCHED:
        if time.monotonic() > end:
            os._exit(99)
        time.sleep(0.0005)


#: What tells the parent to begin; below 0 where it does so by itself, and empty where nobody is to watch.
_BEGIN: list[int] = []


def _be_child(work: Callable[[], object], streams: Sequence[int], *, watched: bool) -> None:
    """Never returns."""
    status = 1
    try:
        _use(streams)
        if watched:
            be_watched()
        with shown_to_user():
            work()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # a bug, as Python itself shows it
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(status)


def _use(streams: Sequence[int]) -> None:
    """Make them stdin, stdout and stderr; nothing is opened, since that might be what fails."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115


def _opened(path: Path | None) -> int:
    if path is None:
        return os.open(os.devnull, os.O_WRONLY)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _watch(
    pid: int, inject: Sequence[str], trace: Sequence[str], log: Path
) -> subprocess.Popen[bytes]:
    names = {_QUESTION, *trace}
    for one in inject:
        names.update(one.partition(":")[0].split(","))
    command = ["strace", "-f", "-qq", "-p", str(pid), "-o", str(log), "-e", "signal=none"]
    command += ["-e", f"trace={','.join(sorted(names))}"]
    for one in (f"{_QUESTION}:retval={_WATCHED}", *inject):
        command += ["-e", f"inject={one}"]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _ended_within(pid: int, seconds: float) -> bool:
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], max(seconds, 0.0))[0])
    finally:
        os.close(descriptor)
