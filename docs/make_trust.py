"""Write the figures of docs/trust.md from the results in docs/trust/: no figure there is typed by hand.

    python docs/make_trust.py

Each file is a trust.json of ``brain-train trust``; its command stands above its tables. Only what lies between the two
marks of the page is written; the chapters around it are written by hand.
"""

import json
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.names import shown_name
from train.metrics.text import markdown
from train.trust.text import (
    KINDS,
    Rows,
    calibration_rows,
    corruption_rows,
    cost_rows,
    coverage_rows,
    decision_rows,
    elsewhere_rows,
    fitted_on,
    heading,
    selective_rows,
    set_rows,
    set_size_rows,
    shuffled_line,
    summary_rows,
)

__all__ = ["BEGIN", "END", "FOLDER", "PAGE", "render", "results"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "trust.md"
FOLDER = DOCS / "trust"
BEGIN = "<!-- From here written by docs/make_trust.py; do not edit. -->"
END = "<!-- Up to here. -->"

_NONE_YET = "No result has been published yet. To make one: `brain-train trust`, see [the commands](cli.md)."
_INTERVALS = "Intervals are 95 %: a bootstrap over patient groups, or Wilson's over images where that is wider."


def results() -> dict[str, dict[str, Any]]:
    """Read the published results by file name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.json"))
    }


def render() -> str:
    """Render the page: the chapters as they are, the figures anew.

    Raises:
        ValueError: The page has not each mark once.
    """
    page = PAGE.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{PAGE.name}: expected each of {BEGIN} and {END} once")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{_figures()}\n\n{END}{after}"


def _figures() -> str:
    found = list(results().values())
    if not found:
        return _NONE_YET
    sections = [_INTERVALS, "\n".join(markdown(summary_rows(found)))]
    return "\n\n".join(
        part.strip() for part in [*sections, *(_section(result) for result in found)]
    )


def _section(result: dict[str, Any]) -> str:
    part = result["part"]
    lines = [
        f"### {shown_name(result['title'])}\n",
        f"`{result['provenance']['command']}`\n",
        f"{heading(result)}; {fitted_on(result)}.\n",
    ]
    for rows in (decision_rows(part), coverage_rows(result), set_size_rows(part)):
        lines += _table(rows)
    lines += [f"{shuffled_line(result)}.\n"]
    for rows in (selective_rows(part), calibration_rows(part)):
        lines += _table(rows)
    if result["sets"]["each"]:
        lines += [*(f"- {words}." for words in KINDS.values()), ""]
        lines += _table(set_rows(result))
        lines += _table(elsewhere_rows(result))
    corrupted = result["corrupted"]
    if corrupted:
        for figure, name in (
            ("accepted", "accepted"),
            ("wrong_and_accepted", "wrong and accepted, of all images"),
        ):
            lines += [f"Corrupted images, {name}, % (95 % interval), n {corrupted['n']} a cell:\n"]
            lines += _table(corruption_rows(result, figure))
    lines += _table(cost_rows(result))
    return "\n".join(lines)


def _table(rows: Rows) -> list[str]:
    return markdown(rows) if len(rows) > 1 else []


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write_bytes_atomically(PAGE, render().encode())
