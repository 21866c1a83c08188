"""How much memory this process has held at most."""

from pathlib import Path

__all__ = ["peak_memory_bytes"]

_STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int | None:
    """Return VmHWM: the largest resident set so far; None where there is no /proc.

    Not getrusage's ru_maxrss, which a child inherits from the process that started it.
    """
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return None
