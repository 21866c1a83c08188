"""Where a figure was measured; without it figures cannot be compared."""

import os
import subprocess
from pathlib import Path
from typing import Any

from edge_infer.machine import machine_facts

__all__ = ["environment", "load_average"]

_ROOT = Path(__file__).resolve().parents[1]


def environment() -> dict[str, Any]:
    """Return processor, its relevant flags, cores, memory, versions and commit."""
    return {
        **machine_facts(),
        "cores": os.cpu_count(),
        "memory_bytes": _total_memory(),
        "commit": _commit(),
    }


def load_average() -> float | None:
    """Return the load average of the last minute; None if the system does not tell."""
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


def _total_memory() -> int | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
