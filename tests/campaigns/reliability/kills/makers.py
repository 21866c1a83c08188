"""Writers whose libraries are imported only when it is their turn."""

import importlib
from collections.abc import Callable
from pathlib import Path

from reliability.kills.writers import Writer

__all__ = ["lazy"]


def lazy(module: str, name: str) -> Callable[[Path], Writer]:
    """Return a maker of a writer of a module of this folder."""

    def make(kept: Path) -> Writer:
        made: Writer = getattr(importlib.import_module(f"reliability.kills.{module}"), name)(kept)
        return made

    return make
