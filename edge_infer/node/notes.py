"""What is known of a round beside its images: ``note.json`` in its folder.

A note holds the study's UID, counts, times, codes and the digests of results; no name, no ID, no text of a header.
"""

import json
import time
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically

__all__ = ["now", "read_note", "update_note"]

_NAME = "note.json"


def read_note(folder: Path) -> dict[str, Any]:
    """Return the note of a round; empty if there is none or the disk has harmed it."""
    try:
        note = json.loads((folder / _NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def update_note(folder: Path, **values: Any) -> dict[str, Any]:
    """Set values of a note, on the disk when this returns; a value None removes its key.

    Returns:
        The whole note.

    Raises:
        CannotWrite: The disk is full, or the round has moved on.
    """
    note = read_note(folder) | values
    note = {key: value for key, value in note.items() if value is not None}
    write_bytes_atomically(folder / _NAME, (json.dumps(note, indent=1) + "\n").encode())
    return note


def now() -> float:
    """Return the time in seconds since the epoch, as notes hold it."""
    return round(time.time(), 3)
