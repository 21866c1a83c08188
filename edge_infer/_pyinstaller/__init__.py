"""How PyInstaller finds what a frozen program needs of this package; named in pyproject.toml as ``pyinstaller40``."""

from pathlib import Path

__all__ = ["get_hook_dirs"]


def get_hook_dirs() -> list[str]:
    """Return the folder of the hooks."""
    return [str(Path(__file__).parent)]
