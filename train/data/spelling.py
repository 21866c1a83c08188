"""One spelling of a class's name, whatever wrote it: file systems differ in how they compose letters."""

import unicodedata

__all__ = ["spelt", "told_apart"]


def spelt(name: str) -> str:
    """Return a name without spaces around it, its letters composed (Unicode's NFC; macOS's folders are not)."""
    return unicodedata.normalize("NFC", name).strip()


def told_apart(name: str) -> str:
    """Return a name in quotes, so that spellings which look alike differ: letters that are not composed are escaped."""
    return repr(name) if unicodedata.is_normalized("NFC", name) else ascii(name)
