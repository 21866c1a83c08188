"""Figures and tables as text, for terminals and pages."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["aligned", "markdown", "percent"]


def percent(figure: Mapping[str, Any], digits: int = 2) -> str:
    """Render a share with its interval; a dash if it is undefined."""
    if figure["value"] is None:
        return "-"
    low, high = 100 * figure["low"], 100 * figure["high"]
    return f"{100 * figure['value']:.{digits}f} % ({low:.1f}..{high:.1f})"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Render cells as indented lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Render cells as a Markdown table with the first row as its head; ends with an empty line."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body, ""]
