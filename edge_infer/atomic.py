"""Write so that a crash, a full disk or a second writer never harms existing files.

Everything is written to a temporary sibling, flushed to the disk and then renamed. A reader sees the old content or the
new, never a mixture. Replaced files and folders keep owner, group and mode as far as permissions allow; new ones get
the mode of the umask.
"""

import contextlib
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from edge_infer.errors import CannotWrite
from edge_infer.exchange import exchange_paths
from edge_infer.kept_modes import keep_file_mode, keep_folder_modes
from edge_infer.lock_file import locked
from edge_infer.names import shown_name
from edge_infer.stale_files import create_temporary, remove_stale, was_written

__all__ = ["refuse_other_content", "replace_folder_atomically", "write_bytes_atomically"]

#: In the names of temporary folders.
_RANDOM_BYTES = 8


def refuse_other_content(target: Path, known: Collection[str], *, what: str) -> None:
    """Refuse to replace a folder that holds anything unknown.

    Args:
        target: The folder; it need not exist.
        known: Names that may be in it.
        what: Such as ``a bundle``, for the message.

    Raises:
        CannotWrite: It holds something else, has no name of its own, or cannot be read.
    """
    if target.name in ("", ".."):
        raise CannotWrite(
            f"{shown_name(target)}: has no name of its own", hint=f"name a folder for {what}"
        )
    try:
        others = {path.name for path in target.iterdir()} - set(known) if target.is_dir() else set()
    except OSError as error:
        raise _cannot_write(target, error) from error
    if others:
        raise CannotWrite(
            f"{shown_name(target)}: holds files that do not belong to {what}, such as {shown_name(min(others))}",
            hint="name a new folder: everything in it would be replaced",
        )


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Write one file; its folder must exist.

    Temporary files that killed writers left in the folder are removed.

    Args:
        path: Target. An existing regular file is replaced.
        data: The whole content.

    Raises:
        CannotWrite: The target cannot be written; an existing file is unharmed.
    """
    path = Path(path)
    try:
        _refuse_special(path, path, expected="a regular file", is_expected=stat.S_ISREG)
        remove_stale(path.parent)
        _write(path, data)
        _flush_folder(path.parent)
        was_written(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def replace_folder_atomically(target: Path) -> Iterator[Path]:
    """Fill a temporary sibling folder; on success it replaces the target.

    The target's parents are created. Meanwhile ``.NAME.lock`` beside the target keeps other writers
    of the same target out; the lock ends with its process. Leftovers of killed writers are removed.

    Args:
        target: Folder to create or replace as a whole.

    Yields:
        The empty temporary folder to write into.

    Raises:
        OutputLocked: Another process is writing the same target.
        CannotWrite: The target cannot be written; an existing folder is unharmed.
    """
    given = Path(target)
    # A linked folder stays a link; its content is replaced. Path.resolve would raise for circular links.
    target = Path(os.path.realpath(given))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f".{target.name}.lock"), given):
            _refuse_special(target, given, expected="a folder", is_expected=stat.S_ISDIR)
            _sweep(target)
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(_RANDOM_BYTES)}.tmp")
            temporary.mkdir(mode=0o700 if target.exists() else 0o777)
            try:
                yield temporary
                _flush_tree(temporary)
                if target.exists():
                    keep_folder_modes(temporary, target)
                _swap_in(temporary, target)
                _flush_folder(target.parent)
            finally:
                _remove_tree(temporary)
    except OSError as error:
        raise _cannot_write(given, error) from error


def _swap_in(temporary: Path, target: Path) -> None:
    """Move ``temporary`` to ``target``; an existing target ends up at ``temporary``."""
    if not target.exists():
        temporary.rename(target)
        return
    if exchange_paths(temporary, target):
        return
    # No atomic exchange here: two renames, undone if the second one fails. A process killed between
    # the two leaves the old folder as .NAME.old; the next writer puts it back.
    aside = _aside(target)
    target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        aside.rename(target)
        raise
    aside.rename(temporary)


def _sweep(target: Path) -> None:
    """Remove leftovers of killed writers of this target; we hold the lock, so none is alive."""
    aside = _aside(target)
    if aside.exists() and not target.exists():
        aside.rename(target)
    temporary = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}\.tmp")
    for rubbish in target.parent.glob(".*.tmp"):
        # Not just what begins alike: .site-1.0.1.HEX.tmp is of another target, whose writer may be alive.
        if temporary.fullmatch(rubbish.name) and rubbish.is_dir() and not rubbish.is_symlink():
            _remove_tree(rubbish)
    if aside.exists():
        shutil.rmtree(aside)


def _remove_tree(folder: Path) -> None:
    with contextlib.suppress(OSError):  # a read-only folder would keep its content
        folder.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _write(path: Path, data: bytes) -> None:
    former = path.stat() if path.exists() else None
    descriptor, temporary = create_temporary(path, 0o600 if former else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if former:
                keep_file_mode(descriptor, former)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            if sys.platform != "win32":  # still locked; Windows cannot rename open files
                temporary.replace(path)
        if sys.platform == "win32":
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _flush_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        elif path.is_dir():
            _flush_folder(path)
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # Windows cannot open folders; NTFS journals renames itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_special(
    path: Path, given: Path, *, expected: str, is_expected: Callable[[int], bool]
) -> None:
    """Never rename over a device, a pipe or a link: ``--output /dev/null`` must not destroy it."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = path.lstat().st_mode
        if not is_expected(mode):
            raise CannotWrite(
                f"{shown_name(given)}: exists and is not {expected}",
                hint="name another output",
            )


def _cannot_write(path: Path, error: OSError) -> CannotWrite:
    return CannotWrite(
        f"{shown_name(path)}: cannot be written ({error.strerror or error})",
        hint="check that its folder exists, is writable and has space left",
    )
