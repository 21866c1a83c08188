"""Long lines of text, broken at words where a terminal ends."""

import textwrap
from collections.abc import Iterable, Iterator

__all__ = ["LEAST_WIDTH", "USUAL_WIDTH", "wrapped"]

#: Where there is no terminal.
USUAL_WIDTH = 80
#: A narrower terminal is taken for one of this width.
LEAST_WIDTH = 40
_DEEPER = "  "


def wrapped(lines: Iterable[str], width: int, *, indent: int | None = None) -> Iterator[str]:
    """Yield lines that fit, each continued under its own beginning; a word that is too long stays whole.

    Args:
        lines: Of a text.
        width: Characters of a line.
        indent: Of continued lines; by default two more than the line has.
    """
    width = max(width, LEAST_WIDTH)
    for line in lines:
        own = line[: len(line) - len(line.lstrip(" "))]
        deeper = own + _DEEPER if indent is None else " " * min(indent, width // 2)
        if len(line) <= width:
            yield line
            continue
        yield from textwrap.wrap(
            line,
            width,
            subsequent_indent=deeper,
            break_long_words=False,
            break_on_hyphens=False,
        )
