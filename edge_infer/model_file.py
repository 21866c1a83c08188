"""model.onnx of a bundle: onnxruntime reads the file itself, and what it read is checked to be what was verified."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge_infer.errors import BrainError, BundleIntegrity

__all__ = ["ModelFile", "describe_file"]

_Opened = TypeVar("_Opened")


class ModelFile:
    """A verified file, which is not held in memory: its bytes are a sixth of what a small process takes.

    Args:
        path: Where the file lies.
        described: What ``describe_file`` said of the bytes that were verified.
    """

    def __init__(self, path: Path, described: Mapping[str, Any]) -> None:
        self._path = path
        self._described = described

    def open(self, opener: Callable[[Path], _Opened]) -> _Opened:
        """Let somebody read the file, and see afterwards that it still is the one that was verified.

        Afterwards, because a file that changes between a check and a reading is what such a check would miss.

        Args:
            opener: Given the path; what it returns is handed on.

        Raises:
            BundleIntegrity: The file is gone or another one now; this goes before whatever the opener made of it.
        """
        try:
            opened = opener(self._path)
        except BrainError:
            self.check()
            raise
        self.check()
        return opened

    def check(self) -> None:
        """See that the file is the one that was verified, without holding it.

        Raises:
            BundleIntegrity: The file is gone or another one now.
        """
        try:
            with self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _changed(self._path, f" ({error.strerror})") from error
        if digest != self._described["sha256"]:
            raise _changed(self._path, "")

    def read(self) -> bytes:
        """Return the very bytes that were checked.

        Raises:
            BundleIntegrity: The file is gone or another one now.
        """
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise _changed(self._path, f" ({error.strerror})") from error
        if describe_file(content) != self._described:
            raise _changed(self._path, "")
        return content


def describe_file(data: bytes) -> dict[str, str | int]:
    """Return what a manifest says of a file: SHA-256 and size."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def _changed(path: Path, reason: str) -> BundleIntegrity:
    return BundleIntegrity(
        f"{path.name}: is not what was loaded, the bundle has changed since{reason}",
        hint="load the classifier again",
    )
