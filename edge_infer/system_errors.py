"""What the operating system refuses, as an error that a user can act on: no full disk and no forbidden folder is a bug.

A net below everything. Where it is known what was being done, the code there says it better.
"""

import errno
import os

from edge_infer.errors import (
    BrainError,
    CannotWrite,
    DataRefused,
    InferenceFailed,
    UnreadableInput,
)
from edge_infer.names import shown_name

__all__ = ["as_brain_error"]

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}


def as_brain_error(error: BaseException) -> BrainError | None:
    """Return what an error of the system, of memory or of a name's encoding is to a user.

    Returns:
        None for an error that did not come from the system, such as one a library raises in the same class.
    """
    if isinstance(error, MemoryError):
        return InferenceFailed(
            "there is not enough memory", hint="work on less at once, or on a larger machine"
        )
    if isinstance(error, UnicodeEncodeError):
        return _no_utf8(error)
    if not isinstance(error, OSError) or error.errno is None:
        return None
    reason = error.strerror or os.strerror(error.errno)
    named = "" if error.filename is None else f"{_name(error.filename)}: "
    if error.errno in _FULL:
        return CannotWrite(
            f"{named}cannot be written ({reason})", hint="make room, or name another output"
        )
    return UnreadableInput(
        f"{named}cannot be read or written ({reason})", hint="check the name and the permissions"
    )


def _no_utf8(error: UnicodeEncodeError) -> BrainError | None:
    if not error.reason.startswith("surrogates"):
        return None
    return DataRefused(
        f"{shown_name(error.object[:300])}: is no UTF-8, so it cannot stand in what is written",
        hint="rename the file or folder",
    )


def _name(filename: object) -> str:
    return shown_name(os.fsdecode(filename) if isinstance(filename, bytes) else filename)
