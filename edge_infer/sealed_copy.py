"""Bytes as a file that nobody can change, for who reads files with less memory than bytes.

onnxruntime copies a graph that comes as bytes before it reads it, and its Python class keeps them. From a file it
reads piece by piece: opening CvT-13 (FP32, 78 MB) took 229 MB more from bytes and 101 MB, with the 78 MB of this file
179, from a sealed one (peaks of a process that held onnxruntime already; 141 from the file on the disk, which somebody
else can exchange meanwhile). Time: 0.5 s either way. Linux has such files; elsewhere the bytes must do.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform == "linux":
    import fcntl

__all__ = ["sealed_copy"]


@contextlib.contextmanager
def sealed_copy(read: Callable[[], bytes]) -> Iterator[Path | bytes]:
    """Yield the path of a copy that holds what ``read`` returns, for ever and as long as the context; or the bytes.

    Args:
        read: Its bytes are not kept where there is a path.
    """
    descriptor = _sealed(read) if sys.platform == "linux" else None
    if descriptor is None:
        yield read()
        return
    try:
        yield _path(descriptor)
    finally:
        os.close(descriptor)


def _sealed(read: Callable[[], bytes]) -> int | None:
    if sys.platform != "linux" or not Path("/proc/self/fd").is_dir():
        return None
    try:
        descriptor = os.memfd_create("model.onnx", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:  # forbidden by a sandbox
        return None
    try:
        _fill(descriptor, read())
        fcntl.fcntl(
            descriptor,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL,
        )
        os.close(os.open(_path(descriptor), os.O_RDONLY))
    except OSError:  # no memory left for it; or a process that may not look at itself
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _path(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")


def _fill(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
