"""One spelling of a class's name, whatever wrote it: file systems differ in how they compose letters."""

import unicodedata

__all__ = ["spelt"]


def spelt(name: str) -> str:
    """Return a name without spaces around it, its letters composed (Unicode's NFC; macOS's folders are not)."""
    return unicodedata.normalize("NFC", name).strip()
