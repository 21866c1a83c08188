"""How many cores of CPU time Linux control groups grant this process: containers set it, and affinity does not show it.

Both versions are read: ``cpu.max`` of version 2, ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us`` of version 1 (the
kernel's Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst). A group cannot use more than the groups
around it, so all of them are read, up to where the hierarchy is mounted.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["cpu_quota"]

_FILE_SYSTEM = Path("/")
_OCTAL = re.compile(r"\\([0-7]{3})")


def cpu_quota(file_system: Path = _FILE_SYSTEM) -> float | None:
    """Return the quota in cores, such as 1.5; None where there is no quota, or it cannot be read.

    Args:
        file_system: The root folder; tests pass another.
    """
    quotas = [
        quota
        for mount, group, version in _groups(file_system)
        for folder in _up_to(mount, group)
        if (quota := _quota_of(file_system, folder, version)) is not None
    ]
    return min(quotas, default=None)


def _groups(file_system: Path) -> Iterator[tuple[PurePosixPath, PurePosixPath, int]]:
    """Yield each place that shows the CPU group of this process: mount point, group's folder, version."""
    own = _own_groups(_text(file_system, PurePosixPath("/proc/self/cgroup")))
    for line in _text(file_system, PurePosixPath("/proc/self/mountinfo")).splitlines():
        # proc_pid_mountinfo(5): "31 23 0:28 ROOT MOUNT_POINT options [tags] - TYPE source options"
        place, _, kind = line.partition(" - ")
        words, (system, *options) = place.split(" "), kind.split(" ") or [""]
        version = {"cgroup": 1, "cgroup2": 2}.get(system)
        is_cpu = version == 2 or (len(options) > 1 and "cpu" in options[1].split(","))
        if version in own and is_cpu and len(words) > 4:
            root, mount = (PurePosixPath(_unescaped(word)) for word in words[3:5])
            group = own[version]
            # In a container that keeps the host's names, the root of the mount is the group itself.
            inner = group.relative_to(root) if group.is_relative_to(root) else PurePosixPath()
            yield mount, mount / inner, version


def _own_groups(text: str) -> dict[int, PurePosixPath]:
    """Read /proc/self/cgroup, ``number:controllers:path`` a line: the path of the CPU group by version."""
    found = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if path.startswith("/") and ".." not in path.split("/"):
            if number == "0" and not controllers:
                found[2] = PurePosixPath(path)
            elif "cpu" in controllers.split(","):
                found[1] = PurePosixPath(path)
    return found


def _up_to(mount: PurePosixPath, group: PurePosixPath) -> list[PurePosixPath]:
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(mount)]


def _quota_of(file_system: Path, folder: PurePosixPath, version: int) -> float | None:
    if version == 2:
        words = _text(file_system, folder / "cpu.max").split()
    else:
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        words = [word for name in names for word in _text(file_system, folder / name).split()]
    try:
        quota, period = map(int, words)
        return quota / period if quota > 0 and period > 0 else None  # version 1 says -1 for none
    except (ValueError, OverflowError):  # "max", which is no limit; nothing there; nonsense
        return None


def _text(file_system: Path, path: PurePosixPath) -> str:
    try:
        inside = file_system / path.relative_to("/")
        return inside.read_text(encoding="utf-8", errors="surrogateescape")
    except (OSError, ValueError):  # ValueError: a null character, or no absolute path
        return ""


def _unescaped(word: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), word)
