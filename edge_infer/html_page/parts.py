"""Pieces of a page: escaped text, sections, and tables that become blocks on a telephone."""

from collections.abc import Sequence
from html import escape

__all__ = ["cell", "section", "table"]


def cell(words: object) -> str:
    """Escape text for HTML."""
    return escape(str(words))


def section(name: str, heading: str, content: str) -> str:
    """Render a section, or nothing where it has no content.

    Args:
        name: Its place in the page; once in a page.
        heading: Text; escaped here.
        content: HTML.
    """
    if not content:
        return ""
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{cell(heading)}</h2>\n{content}\n</section>\n'


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a table.

    Args:
        caption: Text; escaped here.
        head: Names of the columns; escaped here.
        rows: Cells of HTML; the first of each row names it.
    """
    columns = "".join(f'<th scope="col" role="columnheader">{cell(name)}</th>' for name in head)
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{row[0]}</th>'
        + "".join(
            f'<td role="cell" data-label="{cell(name)}"><span>{one}</span></td>'
            for name, one in zip(head[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    # Browsers take the roles of a table from it when its rows are laid out as blocks; stated, they stay.
    return (
        f'<table class="stack" role="table"><caption>{cell(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{columns}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )
