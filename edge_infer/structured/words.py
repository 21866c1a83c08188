"""Texts of our own that fit into any DICOM object: ASCII, whatever character set the source has."""

__all__ = ["plain_ascii", "short_text"]

#: JIS X 0201, which Japanese objects start with, has a yen sign and an overline in place of these two; and a backslash
#: separates values.
_NEVER = {"\\": "/", "~": "-"}
_KNOWN = {
    "\u2265": ">=",
    "\u2264": "<=",
    "\u2013": "-",
    "\u2014": "-",
    "\u00d7": "x",
    "\u2026": "...",
}
_LONG_STRING = 64


def plain_ascii(text: str) -> str:
    """Return a text of printable ASCII in one line; what has no likeness becomes ``?``."""
    known = "".join((_KNOWN | _NEVER).get(character, character) for character in text)
    return "".join(
        character if character.isascii() and character.isprintable() else "?" for character in known
    )


def short_text(text: str) -> str:
    """Return as much of a text as an attribute of 64 characters holds (VR LO)."""
    return plain_ascii(text)[:_LONG_STRING].strip()
