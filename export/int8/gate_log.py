"""The tables of all that was tried, in a file beside the bundle; the terminal shows only that of the chosen one."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite

__all__ = ["GateLog"]


class GateLog:
    """Collects texts and writes them to ``BUNDLE.gate.txt`` at the end, also after an error; no texts, no file.

    Args:
        bundle: Folder of the bundle; it need not exist.
        step: Given a line that says where the file is.
    """

    def __init__(self, bundle: Path, step: Callable[[str], None]) -> None:
        self.path = bundle.with_name(f"{bundle.name}.gate.txt")
        self._step = step
        self._texts: list[str] = []

    def __enter__(self) -> Self:
        return self

    def write(self, text: str) -> None:
        """Add a text."""
        self._texts.append(text)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if not self._texts:
            return
        text = "\n\n".join([RESEARCH_USE_ONLY, *self._texts]) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(self.path, text.encode())
        except (CannotWrite, OSError):
            if error is None:
                raise
            return  # the user should see the first error
        self._step(f"all that was tried: {self.path}")
