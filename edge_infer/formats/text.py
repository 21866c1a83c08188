"""Text in place of an image: a web page, or a pointer to a file that was not fetched.

A log-in page saved as ``scan.jpg`` and a Git LFS pointer are intact files, so copying them again does not help. Only
the beginning of the text is read, and none of it is ever shown.
"""

import re

__all__ = ["name_of_text"]

_LOOKED_AT = 4096
_LEAST = 32  # fewer characters may be anything
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def name_of_text(data: bytes) -> str | None:
    """Name the kind of a text, or None if the bytes are not text.

    Args:
        data: Of a whole file.
    """
    if data.startswith(b"version https://git-lfs"):
        return "Git LFS pointer"
    start = _as_utf8(data[:_LOOKED_AT]).lstrip(b"\xef\xbb\xbf").lstrip()
    if b".git/annex/objects/" in start[:512] or start.startswith(b"/annex/objects/"):
        return "git-annex pointer"
    return _markup(start.lower()) or _plain(start, len(data))


def _markup(start: bytes) -> str | None:
    if re.match(rb"<(!doctype\s+html|html|head|body|script|meta|title|!--.*?<html)", start, re.S):
        return "HTML (a web page, perhaps a log-in)"
    if re.match(rb"(<\?xml.*)?(<!--.*?-->\s*)?(<!doctype svg.*)?<svg[\s>]", start, re.S):
        return "SVG"
    if start.startswith(b"<?xml"):
        return "HTML (a web page, perhaps a log-in)" if b"<html" in start else "XML"
    if re.match(rb'\{\s*("|\})|\[\s*[\[{"\d\]]', start) and not _CONTROL.search(start[:64]):
        return "JSON"
    if start.startswith(b"{\\rtf"):
        return "RTF"
    return None


def _plain(start: bytes, length: int) -> str | None:
    if length < _LEAST or _CONTROL.search(start):
        return None
    # The last character may be cut in two.
    is_utf8 = bool(start) and "\ufffd" not in start[:-4].decode(errors="replace")
    return "text" if is_utf8 else None


def _as_utf8(start: bytes) -> bytes:
    """Turn UTF-16 with a byte order mark, as Windows writes it, into UTF-8."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start.decode("utf-16", errors="replace").encode()
    return start
