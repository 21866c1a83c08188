"""Whether other work disturbed a measurement: CPU time of other processes and time stolen by the host, from /proc."""

import os
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["MAX_LOAD", "MAX_OTHERS", "MAX_STOLEN", "Snapshot", "take_snapshot", "unclean_reasons"]

#: Allowed load in the minute before, as a share of the cores.
MAX_LOAD = 0.25
#: Allowed share of the machine for other processes during the run.
MAX_OTHERS = 0.05
#: Allowed share that the host withholds.
MAX_STOLEN = 0.02

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """CPU seconds since the machine started, read at one moment.

    Attributes:
        at: Seconds of a monotonic clock.
        busy: Of all processes, all cores.
        stolen: Withheld by the host.
        own: Of this process and all its workers, ended ones included.
        cores: Of the machine.
    """

    at: float
    busy: float
    stolen: float
    own: float
    cores: int


def take_snapshot(workers: Iterable[int] = ()) -> Snapshot | None:
    """Read the counters; None without /proc.

    Args:
        workers: Process ids of our running workers; the system counts ended ones.
    """
    stat = Path("/proc/stat")
    if not stat.is_file():
        return None
    lines = stat.read_text(encoding="ascii").splitlines()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, lines[0].split()[1:9])
    ended, here = (
        resource.getrusage(resource.RUSAGE_CHILDREN),
        resource.getrusage(resource.RUSAGE_SELF),
    )
    own = sum(usage.ru_utime + usage.ru_stime for usage in (ended, here))
    return Snapshot(
        at=time.monotonic(),
        busy=(user + nice + system + irq + softirq) / _TICK,
        stolen=steal / _TICK,
        own=own + sum(_cpu_seconds(pid) for pid in workers),
        cores=sum(line.startswith("cpu") for line in lines) - 1,
    )


def unclean_reasons(
    load_before: float | None, before: Snapshot | None, after: Snapshot | None
) -> tuple[list[str], dict[str, Any]]:
    """Say why a run was disturbed, if it was.

    Args:
        load_before: The load average before anything was started; None if unknown.
        before: When measuring began.
        after: When it ended.

    Returns:
        The reasons why the run is not clean, empty if it is; and the figures.
    """
    if before is None or after is None:
        return ["this system does not report the CPU time of other processes"], {}
    capacity = max(after.at - before.at, 1e-9) * after.cores
    others = max(0.0, (after.busy - before.busy) - (after.own - before.own)) / capacity
    stolen = max(0.0, after.stolen - before.stolen) / capacity
    reasons = []
    if load_before is not None and load_before > MAX_LOAD * after.cores:
        reasons.append(
            f"the load was {load_before:.2f} on {after.cores} cores before it began, "
            f"allowed {MAX_LOAD * after.cores:.2f}"
        )
    if others > MAX_OTHERS:
        reasons.append(
            f"other processes took {100 * others:.0f} % of the machine, allowed {100 * MAX_OTHERS:.0f} %"
        )
    if stolen > MAX_STOLEN:
        reasons.append(
            f"the host withheld {100 * stolen:.1f} % of it, allowed {100 * MAX_STOLEN:.0f} %"
        )
    figures = {
        "load_before": load_before,
        "others_share": others,
        "stolen_share": stolen,
        "seconds": after.at - before.at,
    }
    return reasons, figures


def _cpu_seconds(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0  # it has just ended; the system counts it among the ended ones
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK  # utime, stime and those of its own ended children
