"""The peak memory of this process.

``edge_infer.machine`` has it too, but imports numpy and Pillow, and a worker imports only the standard library.
"""

from pathlib import Path

__all__ = ["peak_memory_bytes"]

_STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int | None:
    """Return the largest resident set so far (VmHWM), in bytes; None where there is no /proc.

    Not from getrusage's ru_maxrss, which a child inherits from the process that started it.
    """
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return None
