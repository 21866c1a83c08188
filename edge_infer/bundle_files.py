"""The files of a bundle's folder, read once and all from the same folder, also while another one takes its place.

A file may be a symbolic link to a regular file, as package managers (``uv --link-mode symlink``) and the cache of
Hugging Face lay them: it is read once, and its digest says whether it is the right one, wherever it lies. A folder, a
device, a pipe and a link to one of them are refused, and so is a link to nothing.
"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge_infer.contract import BUNDLE_FILES, GOLDEN_FILE
from edge_infer.errors import BundleError, BundleIncomplete, BundleIntegrity, ContentRefused
from edge_infer.names import shown_name

__all__ = ["MAX_BUNDLE_BYTES", "read_bundle_files", "while_it_stays"]

MAX_BUNDLE_BYTES = 512 * 2**20

#: What every repository of Hugging Face holds beside the files that were put there; it is not read.
_NOT_READ = frozenset({".gitattributes"})

# A writer exchanges folders in an instant; where it cannot, there is none for an instant.
_TRIES, _PAUSE_S = 20, 0.05
_PROOF_OF_ABSENCE = 3

_Loaded = TypeVar("_Loaded")


def while_it_stays(folder: Path, load: Callable[[], _Loaded]) -> _Loaded:
    """Load from a folder, and once more if another folder took its place meanwhile.

    Args:
        folder: The bundle's.
        load: Reads it.

    Raises:
        BundleError: What ``load`` raises of a folder that stays.
    """
    times_absent = 0
    for _ in range(_TRIES):
        before = _identity(folder)
        try:
            return load()
        except BundleError:
            after = _identity(folder)
            if before and before == after:
                raise
            # Between two looks a writer may end and another begin, so one look at nothing proves nothing.
            if not (before or after or _is_being_replaced(folder)):
                times_absent += 1
            if times_absent == _PROOF_OF_ABSENCE:
                raise
            time.sleep(_PAUSE_S)
    return load()


def read_bundle_files(folder: Path) -> dict[str, bytes]:
    """Read the files by name.

    Raises:
        BundleIncomplete: One is missing, or the folder or a file cannot be read.
        BundleIntegrity: Something else is there, or no regular file.
        ContentRefused: More than 512 MiB.
    """
    shown = shown_name(folder)
    try:
        with _OpenFolder(folder) as opened:
            names = opened.names() - _NOT_READ
            _check_names(names, shown)
            return _read_all(opened, sorted(names), shown)
    except OSError as error:
        raise BundleIncomplete(
            f"{shown}: bundle cannot be read ({error.strerror})",
            hint="name a folder that brain-export wrote",
        ) from error


class _OpenFolder:
    """A folder that stays the same while its files are read, whatever is done to its name (not on Windows)."""

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
        # O_NONBLOCK: opening a pipe without a writer would wait for ever.
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
    surplus = sorted(names - set(BUNDLE_FILES))
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
        size = sum(os.fstat(descriptor).st_size for descriptor in descriptors.values())
        if size > MAX_BUNDLE_BYTES:
            raise ContentRefused(
                f"{shown}: bundle has {size:,} bytes, expected at most {MAX_BUNDLE_BYTES:,}"
            )
        for name, descriptor in descriptors.items():
            contents[name] = _read(descriptor, name, shown)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)
    return contents


def _open_regular(opened: _OpenFolder, name: str, shown: str) -> int:
    try:
        mode = opened.stat(name).st_mode  # before it is opened: that alone starts some devices
    except FileNotFoundError as error:  # its name is there: it has been listed
        raise BundleIncomplete(
            f"{shown}: {name} is a link to nothing", hint="copy the whole folder"
        ) from error
    if not stat.S_ISREG(mode):
        raise _not_regular(shown, name)
    descriptor = opened.open(name)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it has changed since
        os.close(descriptor)
        raise _not_regular(shown, name)
    return descriptor


def _read(descriptor: int, name: str, shown: str) -> bytes:
    """Read no more than the size that was stated, whatever a file of a special file system has to give."""
    size = os.fstat(descriptor).st_size
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(size)
        if len(data) != size or file.read(1):
            raise BundleIntegrity(f"{shown}: {name} has changed while it was read")
    return data


def _not_regular(shown: str, name: str) -> BundleIntegrity:
    return BundleIntegrity(
        f"{shown}: {name} is no regular file and no link to one",
        hint="copy the bundle again, with files instead of what stands there",
    )


def _identity(folder: Path) -> tuple[int, ...]:
    """Tell a folder from another one of the same name; empty if there is none."""
    try:
        status = folder.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _is_being_replaced(folder: Path) -> bool:
    """Whether there is none because a writer has moved it aside (edge_infer/atomic.py)."""
    resolved = Path(os.path.realpath(folder))
    try:
        return resolved.with_name(f".{resolved.name}.old").exists()
    except OSError:  # forbidden, or too long a name: nothing is known of a writer there
        return False
