"""The files of a bundle's folder, read once and all from the same folder, even while another folder replaces it.

A file may be a symbolic link to a regular file: package managers (``uv --link-mode symlink``) and the cache of Hugging
Face make such links. It is read once, and its digest shows whether it is the right file, wherever it is. A folder, a
device, a pipe, a link to one of them and a broken link are refused.
"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge_infer.contract import (
    BUNDLE_FILES,
    GOLDEN_FILE,
    MAX_SCOPE_BYTES,
    POSSIBLE_BUNDLE_FILES,
    SCOPE_FILE,
)
from edge_infer.errors import BundleError, BundleIncomplete, BundleIntegrity, ContentRefused
from edge_infer.names import shown_name

__all__ = ["MAX_BUNDLE_BYTES", "read_bundle_files", "while_it_stays"]

MAX_BUNDLE_BYTES = 512 * 2**20

#: In every repository of Hugging Face; it is not read.
_NOT_READ = frozenset({".gitattributes"})

# A writer exchanges two folders in one step. On systems that cannot do that, there is no folder for a moment.
_TRIES, _PAUSE_S = 20, 0.05
# The folder must be missing this often before it counts as missing.
_PROOF_OF_ABSENCE = 3

_Loaded = TypeVar("_Loaded")


def while_it_stays(folder: Path, load: Callable[[Path], _Loaded]) -> _Loaded:
    """Load from a folder, and load again if another folder replaced it meanwhile.

    It waits a second for the writer. One that was killed while no folder was there has left the former one beside it,
    which is loaded then.

    Args:
        folder: The bundle's.
        load: Reads the folder it is given.

    Raises:
        BundleError: What ``load`` raises when the folder was not replaced.
    """
    times_absent = 0
    for _ in range(_TRIES):
        before = _identity(folder)
        try:
            return load(folder)
        except BundleError:
            after = _identity(folder)
            if before and before == after:
                raise
            # One writer may end and another begin between two looks, so a folder missing once proves nothing.
            if not (before or after or _is_being_replaced(folder)):
                times_absent += 1
            if times_absent == _PROOF_OF_ABSENCE:
                raise
            time.sleep(_PAUSE_S)
    is_aside = not _identity(folder) and _is_being_replaced(folder)
    return load(_aside(folder) if is_aside else folder)


def read_bundle_files(folder: Path) -> dict[str, bytes]:
    """Read the files by name.

    Raises:
        BundleIncomplete: One is missing, or the folder or a file cannot be read.
        BundleIntegrity: There is another file too, or one is not a regular file.
        ContentRefused: More than 512 MiB, or a scope.bin of more than 1 MiB.
    """
    shown = shown_name(folder)
    try:
        with _OpenFolder(folder) as opened:
            names = opened.names() - _NOT_READ
            _check_names(names, shown)
            return _read_all(opened, sorted(names), shown)
    except OSError as error:
        raise BundleIncomplete(
            f"{shown}: bundle cannot be read ({error.strerror or error})",
            hint="name a folder that brain-export wrote",
        ) from error


class _OpenFolder:
    """An open folder: its files stay readable when the folder is renamed or replaced (not on Windows)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> "_OpenFolder":
        if os.open in os.supports_dir_fd:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def names(self) -> set[str]:
        with os.scandir(self._folder if self._descriptor is None else self._descriptor) as entries:
            return {entry.name for entry in entries}

    def stat(self, name: str) -> os.stat_result:
        if self._descriptor is None:
            return (self._folder / name).stat()
        return os.stat(name, dir_fd=self._descriptor)

    def open(self, name: str) -> int:
        # O_NONBLOCK: otherwise opening a pipe would wait until somebody writes to it.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        if self._descriptor is None:
            return os.open(self._folder / name, flags)
        return os.open(name, flags, dir_fd=self._descriptor)


def _check_names(names: set[str], shown: str) -> None:
    missing = sorted(set(BUNDLE_FILES) - {GOLDEN_FILE} - names)  # schema 1 has no golden images
    if missing:
        raise BundleIncomplete(
            f"{shown}: bundle lacks {', '.join(missing)}", hint="copy the whole folder"
        )
    surplus = sorted(names - set(POSSIBLE_BUNDLE_FILES))
    if surplus:
        raise BundleIntegrity(
            f"{shown}: bundle holds what does not belong there: "
            f"{', '.join(map(shown_name, surplus[:5]))}",
            hint="remove it, or copy the bundle again",
        )


def _read_all(opened: _OpenFolder, names: list[str], shown: str) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    descriptors: dict[str, int] = {}
    try:
        for name in names:
            descriptors[name] = _open_regular(opened, name, shown)
        sizes = {name: os.fstat(descriptor).st_size for name, descriptor in descriptors.items()}
        _check_sizes(sizes, shown)
        for name, descriptor in descriptors.items():
            contents[name] = _read(descriptor, name, shown)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)
    return contents


def _check_sizes(sizes: dict[str, int], shown: str) -> None:
    size = sum(sizes.values())
    if size > MAX_BUNDLE_BYTES:
        raise ContentRefused(
            f"{shown}: bundle has {size:,} bytes, expected at most {MAX_BUNDLE_BYTES:,}"
        )
    if sizes.get(SCOPE_FILE, 0) > MAX_SCOPE_BYTES:
        raise ContentRefused(
            f"{shown}: {SCOPE_FILE} has {sizes[SCOPE_FILE]:,} bytes, expected at most {MAX_SCOPE_BYTES:,}"
        )


def _open_regular(opened: _OpenFolder, name: str, shown: str) -> int:
    try:
        mode = opened.stat(name).st_mode  # before opening it, which alone starts some devices
    except FileNotFoundError as error:  # but its name was listed
        raise BundleIncomplete(
            f"{shown}: {name} is a broken link", hint="copy the whole folder"
        ) from error
    if not stat.S_ISREG(mode):
        raise _not_regular(shown, name)
    descriptor = opened.open(name)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # replaced since the check
        os.close(descriptor)
        raise _not_regular(shown, name)
    return descriptor


def _read(descriptor: int, name: str, shown: str) -> bytes:
    """Read exactly the stated size: files of special file systems can hold more, or have no end."""
    size = os.fstat(descriptor).st_size
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(size)
        if len(data) != size or file.read(1):
            raise BundleIntegrity(f"{shown}: {name} has changed while it was read")
    return data


def _not_regular(shown: str, name: str) -> BundleIntegrity:
    return BundleIntegrity(
        f"{shown}: {name} is not a regular file and not a link to one",
        hint="copy the bundle again, as regular files",
    )


def _identity(folder: Path) -> tuple[int, ...]:
    """Return numbers that differ for another folder of the same name; empty if there is no folder."""
    try:
        status = folder.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _is_being_replaced(folder: Path) -> bool:
    """Return whether the folder is missing because a writer has moved it aside (edge_infer/atomic.py)."""
    try:
        return _aside(folder).exists()
    except OSError:  # permission denied, or the name is too long: no sign of a writer
        return False


def _aside(folder: Path) -> Path:
    resolved = Path(os.path.realpath(folder))
    return resolved.with_name(f".{resolved.name}.old")
