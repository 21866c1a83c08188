"""Small files that decide what is trusted: read whole, and anything wrong with them means that nothing is trusted."""

from pathlib import Path

from edge_infer.errors import BundleUntrusted, InputError
from edge_infer.image_file import read_file

__all__ = ["read_small_file"]

_MAX_BYTES = 2**20


def read_small_file(path: Path, hint: str) -> bytes:
    """Read a file of at most 1 MiB.

    Args:
        path: Of a regular file.
        hint: What to do if that fails, unless the error knows better.

    Raises:
        BundleUntrusted: It is missing, no regular file, too large, or cannot be read.
    """
    try:
        return read_file(path, limit=_MAX_BYTES)
    except InputError as error:
        raise BundleUntrusted(error.message, hint=error.hint or hint) from error
