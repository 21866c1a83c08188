"""model.onnx of a bundle: onnxruntime gets the very bytes that were verified, whatever happens to the file."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge_infer.errors import BundleIntegrity
from edge_infer.sealed_copy import sealed_copy

__all__ = ["ModelFile", "describe_file"]

_Opened = TypeVar("_Opened")


class ModelFile:
    """A verified file that is not kept in memory: its bytes would be a sixth of the memory of a small process.

    Args:
        path: Of the file.
        described: What ``describe_file`` returned for the verified bytes.
    """

    def __init__(self, path: Path, described: Mapping[str, Any]) -> None:
        self._path = path
        self._described = described

    def open(self, opener: Callable[[Path | bytes], _Opened]) -> _Opened:
        """Read the file, check it, and pass on those bytes in a form that no other program can change.

        Args:
            opener: Called with the path of a sealed copy in memory, or with the bytes on systems that have no such
                copies.

        Returns:
            What ``opener`` returns.

        Raises:
            BundleIntegrity: The file is gone, or its content has changed.
        """
        with sealed_copy(self.read) as model:
            return opener(model)

    def read(self) -> bytes:
        """Return the very bytes that were checked.

        Raises:
            BundleIntegrity: The file is gone, or its content has changed.
        """
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise _changed(self._path, f" ({error.strerror})") from error
        if describe_file(content) != self._described:
            raise _changed(self._path, "")
        return content


def describe_file(data: bytes) -> dict[str, str | int]:
    """Return what a manifest states about a file: SHA-256 and size."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def _changed(path: Path, reason: str) -> BundleIntegrity:
    return BundleIntegrity(
        f"{path.name}: is not what was loaded, the bundle has changed since{reason}",
        hint="load the classifier again",
    )
