"""Pieces of the page: tables that become blocks on a telephone, and the matrix of labels."""

from collections.abc import Sequence
from html import escape

__all__ = ["cell", "matrix", "table"]


def cell(words: object) -> str:
    """Escape text for HTML."""
    return escape(str(words))


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


def matrix(
    names: Sequence[str], counts: Sequence[Sequence[int]], accepted: Sequence[Sequence[int]]
) -> str:
    """Draw old labels in rows and new ones in columns; the more of a row, the darker the cell."""
    head = "".join(f'<th scope="col">{cell(name)}</th>' for name in names)
    rows = []
    for number, name in enumerate(names):
        total = max(1, sum(counts[number]))
        cells = []
        for column, count in enumerate(counts[number]):
            kind = "same" if column == number else "other" if count else "none"
            strength = 12 + 28 * count / total if count else 0
            inner = f"{count} <small>({accepted[number][column]})</small>"
            cells.append(f'<td class="{kind}" style="--strength: {strength:.0f}%">{inner}</td>')
        rows.append(f'<tr><th scope="row">{cell(name)}</th>{"".join(cells)}</tr>')
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Labels, old and new">'
        f'<table class="matrix" style="--columns: {len(names) + 1}">'
        "<caption>Old label in rows, new label in columns; in brackets among answers that both accept.</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
