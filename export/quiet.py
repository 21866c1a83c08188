"""Silence for onnxruntime's quantizers, which print and log, because stdout is for results."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["quiet", "quiet_folder"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep prints off stdout, and messages below an error out of the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)


@contextlib.contextmanager
def quiet_folder() -> Iterator[Path]:
    """Give a temporary folder for onnxruntime's files, and be quiet meanwhile."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
