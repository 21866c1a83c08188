"""A file that knows its size and SHA-256 when it is written, without being read again."""

import hashlib
from typing import Any, BinaryIO

__all__ = ["HashedFile"]


class HashedFile:
    """A binary file to write to, as far as pyarrow and JSON lines need one.

    Args:
        file: Stays open: its owner closes it.
    """

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        """Write, as to any file."""
        self._hash.update(data)
        self._size += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Return how much was written."""
        return self._size

    def flush(self) -> None:
        """Do nothing: its owner flushes it."""

    def close(self) -> None:
        """Do nothing: its owner closes it."""

    def as_json(self) -> dict[str, Any]:
        """Return size and digest."""
        return {"size_bytes": self._size, "sha256": self._hash.hexdigest()}
