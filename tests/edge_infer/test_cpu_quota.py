import os
from pathlib import Path

import pytest

from edge_infer import machine
from edge_infer.cpu_quota import cpu_quota

V2_MOUNT = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct"
OTHERS = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def linux(root: Path, *, groups: str, mounts: str, files: dict[str, str]) -> Path:
    """A file system with the given groups of this process, mounts and files."""
    own = {"proc/self/cgroup": f"{groups}\n", "proc/self/mountinfo": f"{OTHERS}\n{mounts}\n"}
    put(root, {**own, **files})
    return root


def v1(folder: str, quota: str, period: str = "100000") -> dict[str, str]:
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": f"{period}\n",
    }


def test_version_2_says_quota_and_period(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/app/cpu.max": "150000 100000\n"}
    assert cpu_quota(linux(tmp_path, groups="0::/app", mounts=V2_MOUNT, files=files)) == 1.5


def test_version_1_says_quota_and_period_in_two_files(tmp_path: Path) -> None:
    groups = "9:memory:/else\n4:cpu,cpuacct:/docker/abc\n0::/"
    files = v1("sys/fs/cgroup/cpu,cpuacct/docker/abc", "50000", "200000")
    assert cpu_quota(linux(tmp_path, groups=groups, mounts=V1_MOUNT, files=files)) == 0.25


@pytest.mark.parametrize(("inner", "outer"), [("400000", "100000"), ("100000", "400000")])
def test_the_tightest_group_on_the_way_to_the_mount_counts(
    tmp_path: Path, inner: str, outer: str
) -> None:
    second = {
        "sys/fs/cgroup/pod/app/cpu.max": f"{inner} 100000",
        "sys/fs/cgroup/pod/cpu.max": f"{outer} 100000",
        "sys/fs/cgroup/cpu.max": "max 100000",
        "sys/fs/cgroup/pod/neighbour/cpu.max": "1000 100000",
    }
    root = linux(tmp_path / "2", groups="0::/pod/app", mounts=V2_MOUNT, files=second)
    assert cpu_quota(root) == 1
    mount = "sys/fs/cgroup/cpu,cpuacct"
    first = {**v1(f"{mount}/pod/app", inner), **v1(f"{mount}/pod", outer), **v1(mount, "-1")}
    root = linux(tmp_path / "1", groups="4:cpu,cpuacct:/pod/app", mounts=V1_MOUNT, files=first)
    assert cpu_quota(root) == 1


def test_where_both_versions_are_mounted_the_tighter_counts(tmp_path: Path) -> None:
    files = {
        **v1("sys/fs/cgroup/cpu,cpuacct/a", "300000"),
        "sys/fs/cgroup/unified/b/cpu.max": "200000 100000",
    }
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
    groups = "4:cpu,cpuacct:/a\n0::/b"
    root = linux(tmp_path, groups=groups, mounts=f"{V1_MOUNT}\n{unified}", files=files)
    assert cpu_quota(root) == 2


def test_a_mount_that_shows_only_the_containers_group_is_understood(tmp_path: Path) -> None:
    """As in Docker with version 1: the group is named as on the host, its folder is the mount point."""
    mount = V1_MOUNT.replace(" / /sys", " /docker/abc /sys")
    folder = "sys/fs/cgroup/cpu,cpuacct"
    files = {**v1(folder, "200000"), **v1(f"{folder}/inner", "100000")}
    for number, (group, expected) in enumerate(
        {"/docker/abc": 2, "/docker/abc/inner": 1, "/elsewhere": 2}.items()
    ):
        groups = f"4:cpu,cpuacct:{group}"
        root = linux(tmp_path / str(number), groups=groups, mounts=mount, files=files)
        assert cpu_quota(root) == expected, group


def test_the_mount_point_is_read_and_not_assumed(tmp_path: Path) -> None:
    mount = V2_MOUNT.replace("/sys/fs/cgroup", r"/my\040groups")
    files = {"my groups/app:with:colons/cpu.max": "300000 100000"}
    root = linux(tmp_path, groups="0::/app:with:colons", mounts=mount, files=files)
    assert cpu_quota(root) == 3


@pytest.mark.parametrize(
    "text",
    [
        "max 100000",
        "-1 100000",
        "0 100000",
        "100000 0",
        "",
        "max",
        "1e5 1e5",
        "1 2 3",
        "\0",
        f"{'9' * 400} 1",
    ],
)
def test_what_is_no_limit_or_no_number_is_no_quota(tmp_path: Path, text: str) -> None:
    files = {"sys/fs/cgroup/app/cpu.max": text}
    assert cpu_quota(linux(tmp_path, groups="0::/app", mounts=V2_MOUNT, files=files)) is None


@pytest.mark.parametrize(
    ("groups", "mounts"),
    [
        ("", ""),
        ("0::/app", ""),
        ("", V2_MOUNT),
        ("nonsense\n:\n0:\n0::", "nonsense\n - cgroup2\n1 2 3 - cgroup2 x y\n - \n-"),
        ("0::/../app", V2_MOUNT),
        ("4:cpuset:/app", V1_MOUNT),
    ],
)
def test_what_proc_does_not_tell_is_no_quota(tmp_path: Path, groups: str, mounts: str) -> None:
    files = {"sys/fs/cgroup/app/cpu.max": "100000 100000"}
    assert cpu_quota(linux(tmp_path, groups=groups, mounts=mounts, files=files)) is None


def test_without_proc_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none") is None
    (tmp_path / "proc" / "self" / "cgroup").mkdir(parents=True)  # a folder where a file should be
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "expected"),
    [(None, 4), (0.5, 1), (1.0, 1), (1.5, 2), (3.9, 4), (4.0, 4), (64.0, 4)],
)
def test_cores_are_those_of_the_affinity_and_of_the_quota_rounded_up(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5, 7}, raising=False)
    monkeypatch.setattr(machine, "cpu_quota", lambda: quota)
    assert machine.usable_cores() == expected
    assert machine.machine_facts()["usable_cores"] == expected
