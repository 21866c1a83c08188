"""What a site does not accept any more, though it was signed once: the answer to a roll-back."""

import os
import re
from pathlib import Path

from edge_infer.errors import BundleUntrusted
from edge_infer.names import shown_name
from edge_infer.signature.small_files import read_small_file

__all__ = ["REVOKED_FILE", "read_revoked"]

#: In a folder of keys: SHA-256 of manifests and keys.
REVOKED_FILE = "revoked.txt"

_SHA256 = re.compile("[0-9a-f]{64}")
_HINT = "list manifest_sha256 of the bundles, as brain-doctor --json says it; notes begin with #"


def read_revoked(folder: Path) -> set[str]:
    """Return the digests that are listed in a folder of keys; none if it has no list.

    The list has a SHA-256 a line; what follows it, and lines that begin with #, are notes.

    Raises:
        BundleUntrusted: The list cannot be read whole.
    """
    path = folder / REVOKED_FILE
    if not os.path.lexists(path):
        return set()
    try:
        lines = read_small_file(path, _HINT).decode().splitlines()
    except UnicodeDecodeError:
        lines = ["?"]
    listed = [line.split()[0].lower() for line in lines if line.strip() and line.strip()[0] != "#"]
    if not all(map(_SHA256.fullmatch, listed)):
        raise BundleUntrusted(
            f"{shown_name(path)}: a line does not begin with a SHA-256 of 64 hexadecimal digits",
            hint=_HINT,
        )
    return set(listed)
