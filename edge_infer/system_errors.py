"""What the machine lacks or refuses, as an error that a user can act on.

A full disk, a forbidden folder or a package that is not installed is no bug. This is the last resort: code that knows
what it was doing raises an error that says more.
"""

import errno
import os

from edge_infer.errors import (
    BrainError,
    CannotWrite,
    DataRefused,
    InferenceFailed,
    MissingDependency,
    UnreadableInput,
)
from edge_infer.names import shown_name

__all__ = ["as_brain_error"]

#: Which extra brings a module. Any other missing module is a bug and shows as one.
_EXTRAS = {
    "accelerate": "train",
    "cryptography": "trust",
    "dask": "scale",
    "distributed": "scale",
    "fsspec": "scale",
    "jinja2": "train",
    "matplotlib": "train",
    "onnx": "export",
    "onnxruntime": "cpu",
    "onnxscript": "export",
    "pyarrow": "train",
    "safetensors": "train",
    "scipy": "train",
    "sklearn": "train",
    "tensorboard": "train",
    "torch": "train",
    "torchvision": "train",
    "tqdm": "train",
    "transformers": "train",
}

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}


def as_brain_error(error: BaseException) -> BrainError | None:
    """Turn an error of the system, of memory, of a name's encoding or of an import into one that a user can act on.

    Returns:
        None for any other error, such as one that a library raises in the same class: that is a bug.
    """
    if isinstance(error, ModuleNotFoundError):
        return _not_installed(error)
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
    # Whether it was to be read or written is not known here.
    return UnreadableInput(f"{named}{reason}", hint="check the name and the permissions")


def _not_installed(error: ModuleNotFoundError) -> BrainError | None:
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return None
    return MissingDependency(
        f"{error.name} is not installed", hint=f"pip install 'brain-edge[{extra}]'"
    )


def _no_utf8(error: UnicodeEncodeError) -> BrainError | None:
    if not error.reason.startswith("surrogates"):
        return None
    return DataRefused(
        f"{shown_name(error.object[:300])}: is not UTF-8, so it cannot be written to the output",
        hint="rename the file or folder",
    )


def _name(filename: object) -> str:
    return shown_name(os.fsdecode(filename) if isinstance(filename, bytes) else filename)
