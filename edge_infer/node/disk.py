"""Names and contents that are on the disk when a function returns, and files that two folders share."""

import contextlib
import os
import shutil
from pathlib import Path

__all__ = ["flush_file", "flush_folder", "link_all"]


def flush_file(path: Path) -> None:
    """Have a file's content written to the disk."""
    _flush(path, os.O_RDWR)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    if os.name != "nt":  # Windows cannot open folders; NTFS journals renames itself
        _flush(folder, os.O_RDONLY)


def link_all(source: Path, target: Path) -> None:
    """Let the files of one folder lie in another, too, without a copy where the file system can."""
    for path in source.iterdir():
        try:
            os.link(path, target / path.name)
        except (
            FileExistsError,
            FileNotFoundError,
        ):  # linked before; or retention has just removed it
            continue
        except OSError:  # no hard links here
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, target / path.name)
                flush_file(target / path.name)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
