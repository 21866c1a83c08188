"""A disk of a few pages, in a child that alone sees it: a tmpfs in a mount namespace of its own."""

import ctypes
import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from reliability.campaign import Broken

__all__ = ["PAGE", "Grow", "missing_mounts", "on_disk"]

PAGE = os.sysconf("SC_PAGE_SIZE") if sys.platform != "win32" else 4096

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REMOUNT, _MS_REC, _MS_PRIVATE = 0x20, 0x4000, 0x40000

Grow = Callable[[], None]


def on_disk(size_bytes: int, folder: Path, work: Callable[[Grow], str]) -> str:
    """Call ``work`` in a child where a folder is a disk of this size; it gets a function that makes room.

    Raises:
        Broken: As ``work`` says.
        OSError: Disks cannot be mounted here.
    """
    with tempfile.TemporaryDirectory(prefix="disk-") as place:
        answer = Path(place) / "answer"
        pid = os.fork()
        if pid == 0:
            try:
                _mount(folder, size_bytes)
                said = ["ok", work(functools.partial(_resize, folder, 2**30))]
            except Broken as error:
                said = ["broken", str(error)]
            except BaseException as error:  # told to the parent
                said = ["error", f"{type(error).__name__}: {error}"[:300]]
            try:
                answer.write_text(json.dumps(said))
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        kind, words = json.loads(answer.read_text())
    if kind == "broken":
        raise Broken(words)
    if kind == "error":
        raise OSError(words)
    return str(words)


@functools.cache
def missing_mounts() -> str | None:
    """Say what keeps disks from being mounted here; None if nothing does."""
    if sys.platform != "linux":
        return "disks are mounted on Linux only"
    with tempfile.TemporaryDirectory() as folder:
        try:
            on_disk(16 * PAGE, Path(folder), lambda _grow: "")
        except OSError as error:
            return f"a tmpfs cannot be mounted here ({error})"
    return None


def _mount(folder: Path, size_bytes: int) -> None:
    user, group = os.getuid(), os.getgid()
    namespaces = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    _check(_libc().unshare(namespaces), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _check(_libc().mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount")
    size = f"size={size_bytes}".encode()
    _check(_libc().mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, size), "mount")


def _resize(folder: Path, size_bytes: int) -> None:
    size = f"size={size_bytes}".encode()
    _check(_libc().mount(b"tmpfs", os.fsencode(folder), None, _MS_REMOUNT, size), "mount")


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
