"""Processes of a run, known by a mark in their environment: processor time, memory and ports of all of them.

Linux only: it reads /proc.
"""

import contextlib
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MARK", "Watch", "end", "marked", "new_mark", "resident_bytes"]

MARK = "SCALE_MARK"
_TICKS = os.sysconf("SC_CLK_TCK")


def new_mark() -> str:
    """Return a word for the environment variable ``MARK``."""
    return secrets.token_hex(8)


def marked(mark: str) -> list[int]:
    """Return the processes that carry the mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
    return found


def resident_bytes(pid: int) -> int:
    """Return what a process has in memory; 0 if it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return 0


def end(mark: str) -> int:
    """Kill what is left of a run, and return how many processes that were."""
    left = marked(mark)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return len(left)


@dataclass
class Watch:
    """Looks at the processes of a run twice a second, in a thread of its own."""

    mark: str
    every_s: float = 0.5
    cpu: dict[int, float] = field(default_factory=dict)
    most_processes: int = 0
    peak_bytes: int = 0
    open_ports: set[tuple[str, int]] = field(default_factory=set)
    #: Seconds since the start, and the bytes that all processes held together.
    memory: list[tuple[float, int]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @contextlib.contextmanager
    def watching(self) -> Iterator["Watch"]:
        """Watch while the block runs."""
        stop = threading.Event()
        thread = threading.Thread(target=self._look_until, args=(stop,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time of all processes that were seen; what one did after the last look is not in it."""
        return sum(self.cpu.values())

    def _look_until(self, stop: threading.Event) -> None:
        while not stop.wait(self.every_s):
            self._look()

    def _look(self) -> None:
        pids = marked(self.mark)
        self.most_processes = max(self.most_processes, len(pids))
        total = 0
        for pid in pids:
            with contextlib.suppress(OSError, ValueError, StopIteration):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self.cpu[pid] = (int(words[11]) + int(words[12])) / _TICKS
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += 1024 * next(
                    int(line.split()[1]) for line in lines if line.startswith("Pss:")
                )
        self.peak_bytes = max(self.peak_bytes, total)
        self.memory.append((round(time.monotonic() - self.started, 1), total))
        self.open_ports |= _listening(pids)


def _listening(pids: list[int]) -> set[tuple[str, int]]:
    """Return addresses and ports on which these processes listen."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            own = set()
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    own.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
            # Of the network namespace of that process.
            for name in ("tcp", "tcp6"):
                for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
                    words = line.split()
                    if words[3] == "0A" and words[9] in own:  # 0A: LISTEN
                        address, _, port = words[1].partition(":")
                        found.add((_named(_address(address)), int(port, 16)))
    return found


def _named(address: str) -> str:
    """Name the machine's own addresses, which are nobody's business, by what they are."""
    if address.startswith("127.") or address == "::1":
        return "loopback"
    return "every address" if address in ("0.0.0.0", "::") else "the machine's address"  # noqa: S104 - compared only


def _address(shown: str) -> str:
    if len(shown) == 8:
        return ".".join(str(byte) for byte in reversed(bytes.fromhex(shown)))
    if set(shown) == {"0"}:
        return "::"
    # ::ffff:a.b.c.d, in words of the machine's byte order
    return _address(shown[24:]) if shown[:24] == "0000000000000000FFFF0000" else shown
