"""A folder for onnxruntime's quantizers, and silence: stdout is for results."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["quiet_folder"]


@contextlib.contextmanager
def quiet_folder() -> Iterator[Path]:
    """Give a folder for onnxruntime's files, and keep its root-logger chatter and prints off stdout."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            yield Path(folder)
    finally:
        root.setLevel(level)
