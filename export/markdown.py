"""Names in Markdown: a label of one's own may hold what Markdown takes for a table, a link or a tag."""

import re

__all__ = ["plain"]

_STEERS = re.compile(r"([\\`*\[\]<>|#!&~])")


def plain(name: str) -> str:
    """Return a name such that Markdown shows it as it is; letters, digits, spaces and ``_`` stay."""
    return _STEERS.sub(r"\\\1", name)
