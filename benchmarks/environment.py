"""Where a figure was measured: a figure without it cannot be compared."""

import os
import platform
from pathlib import Path
from typing import Any

from edge_infer.runtime import versions

__all__ = ["environment"]


def environment() -> dict[str, Any]:
    """Return processor, its relevant flags, cores, load and versions."""
    info = _cpu_info()
    flags = info.get("flags", "").split()
    return {
        "cpu": info.get("model name", platform.processor() or "unknown"),
        "cpu_flags": sorted(flag for flag in flags if flag.startswith(("avx", "amx", "fma"))),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **versions(),
    }


def _cpu_info() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = (
        line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if ":" in line
    )
    return {key.strip(): value.strip() for key, _, value in lines}
