"""model.onnx of a bundle: held while a session is opened from it, read and checked once more if it is needed later."""

import hashlib
from pathlib import Path

from edge_infer.errors import BundleIntegrity

__all__ = ["ModelFile", "describe_file"]


class ModelFile:
    """The bytes of a verified file.

    An open session needs them no more, and they are a sixth of the memory of a small process; a forked child, which
    must open a session of its own, reads them again.

    Args:
        path: Where the file lies.
        content: What was read and checked.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._described = describe_file(content)
        self._content: bytes | None = content

    def read(self) -> bytes:
        """Return the very bytes that were checked.

        Raises:
            BundleIntegrity: They are no longer held, and the file is gone or is another one now.
        """
        if self._content is not None:
            return self._content
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise _changed(self._path, f" ({error.strerror})") from error
        if describe_file(content) != self._described:
            raise _changed(self._path, "")
        return content

    def release(self) -> None:
        """Hold the bytes no longer."""
        self._content = None


def describe_file(data: bytes) -> dict[str, str | int]:
    """Return what a manifest says of a file: SHA-256 and size."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def _changed(path: Path, reason: str) -> BundleIntegrity:
    return BundleIntegrity(
        f"{path.name}: is not what was loaded, the bundle has changed since{reason}",
        hint="load the classifier again",
    )
