"""A partition's files, written whole or not at all, by the only writer of the partition.

Not by ``edge_infer.atomic``: that sweeps the folder for what killed writers left, which would list a folder of 100,000
files for each of them. And on file systems whose locks end at the machine (Lustre with ``localflock``) it would remove
what another machine is writing. Here the temporary name is fixed, so that the next try writes over what a killed one
left.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name

__all__ = ["written_whole"]


@contextmanager
def written_whole(path: Path, *, has_other_writers: bool = False) -> Iterator[BinaryIO]:
    """Yield a file to write; on success it replaces the target.

    Args:
        path: The target; its folder is created. The caller holds the lock of the partition it belongs to.
        has_other_writers: It belongs to no partition, and others may be writing the same.

    Raises:
        CannotWrite: The target cannot be written; an existing file is unharmed.
    """
    distinct = f".{secrets.token_hex(8)}" if has_other_writers else ""
    temporary = path.with_name(f".{path.name}{distinct}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(path)}: cannot be written ({error.strerror or error})",
            hint="check that its folder is writable and has space left; the same command then goes on",
        ) from error
    finally:
        with suppress(OSError):  # such as that it is gone
            temporary.unlink()


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be opened there; NTFS journals renames itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
