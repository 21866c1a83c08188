"""Facts about this machine that answers and their speed depend on; nothing about the person who uses it."""

import math
import os
import platform
from pathlib import Path
from typing import Any

from edge_infer.cpu_quota import cpu_quota
from edge_infer.runtime import versions
from edge_infer.version import __version__

__all__ = ["machine_facts", "peak_rss_mb", "usable_cores"]

#: Processor flags that decide which 8-bit and float kernels onnxruntime and torch use.
_FLAGS = (
    "sse4_1",
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx_vnni",
    "avx_vnni_int8",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
)


def machine_facts() -> dict[str, Any]:
    """Return system, processor with its relevant flags, usable cores and versions.

    Name and flags of the processor come from Linux's /proc/cpuinfo. On other systems the flags are missing, and in an
    emulator they are those of the machine it runs on.
    """
    info = _colon_table(Path("/proc/cpuinfo"))
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "cpu_flags": [flag for flag in _FLAGS if flag in flags],
        "usable_cores": usable_cores(),
        "python": platform.python_version(),
        "versions": {"brain-edge": __version__, **versions()},
    }


def usable_cores() -> int:
    """Return how many cores this process may use, by its affinity and the quota of its control groups.

    More threads than that use up the quota together and then all wait for the next period: with a quota of one core,
    32 threads take 217 ms for an image instead of 5.9 (measured). A quota such as 1.5 cores is rounded up, as Java,
    .NET and Go do: one thread would leave a third of it unused.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else min(cores, math.ceil(quota))


def peak_rss_mb() -> float | None:
    """Return the peak memory of this process (resident set) in MB of 10^6 bytes; None on systems other than Linux."""
    peak = _colon_table(Path("/proc/self/status")).get("VmHWM", "").split()
    return int(peak[0]) * 1024 / 1e6 if peak else None


def _colon_table(path: Path) -> dict[str, str]:
    """Read ``name : value`` lines; of lines with one name the last counts."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in rows}
