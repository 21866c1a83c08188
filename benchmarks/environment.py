"""Where a figure was measured: a figure without it cannot be compared."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.worker_process import usable_cores
from edge_infer.runtime import versions
from edge_infer.version import __version__

__all__ = ["environment", "load_average"]

_ROOT = Path(__file__).resolve().parents[1]
_FLAGS = ("avx", "amx", "fma", "sse4")


def environment() -> dict[str, Any]:
    """Return processor, its relevant flags, cores, memory, versions and commit."""
    info = _colon_table(Path("/proc/cpuinfo"))
    memory = _colon_table(Path("/proc/meminfo")).get("MemTotal", "").split()
    flags = info.get("flags", "").split()
    return {
        "cpu": info.get("model name", platform.processor() or "unknown"),
        "cpu_flags": sorted(flag for flag in flags if flag.startswith(_FLAGS)),
        "cores": os.cpu_count(),
        "usable_cores": len(usable_cores()),
        "memory_bytes": 1024 * int(memory[0]) if memory else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"brain-edge": __version__, **versions()},
        "commit": _commit(),
    }


def load_average() -> float | None:
    """Return the load of the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _commit() -> str:
    """Return the commit, with a mark if files were changed since; empty outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 -- as on the PATH
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _colon_table(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = (
        line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if ":" in line
    )
    return {key.strip(): value.strip() for key, _, value in lines}
