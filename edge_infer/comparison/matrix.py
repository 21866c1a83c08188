"""The matrix of labels, on the page."""

from collections.abc import Sequence

from edge_infer.html_page.parts import cell

__all__ = ["matrix"]


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
