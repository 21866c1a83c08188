"""Names and contents that are on the disk when a function returns, and files that two folders share."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

__all__ = ["flush_file", "flush_folder", "link_all", "sha256_of"]


def flush_file(path: Path) -> None:
    """Have a file's content written to the disk."""
    _flush(path, os.O_RDWR)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    if os.name != "nt":  # Windows cannot open folders; NTFS journals renames itself
        _flush(folder, os.O_RDONLY)


def sha256_of(files: Sequence[Path]) -> list[str]:
    """Return the SHA-256 of each file.

    Raises:
        OSError: One cannot be read.
    """
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests


def link_all(source: Path, target: Path) -> None:
    """Let the files of one folder lie in another, too, without a copy where the file system can.

    The source may be moved meanwhile: it is held open, and its files are found through that.
    """
    for rest in target.glob("*.part"):  # of a copy that was killed
        rest.unlink()
    if os.link not in os.supports_dir_fd:  # Windows, where an open folder cannot be moved
        for path in source.iterdir():
            _link(str(path), target / path.name, None)
        return
    descriptor = os.open(source, os.O_RDONLY)
    try:
        for name in os.listdir(descriptor):  # noqa: PTH208 -- of an open folder
            _link(name, target / name, descriptor)
    finally:
        os.close(descriptor)


def _link(name: str, target: Path, folder: int | None) -> None:
    try:
        os.link(name, target, src_dir_fd=folder)
    except FileExistsError:  # linked before
        return
    except OSError:  # no hard links here
        temporary = target.with_name(f"{target.name}.part")
        with (
            os.fdopen(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file,
            temporary.open("wb") as copy,
        ):
            shutil.copyfileobj(file, copy)
        flush_file(temporary)
        temporary.rename(target)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
