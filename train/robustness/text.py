"""The robustness table as text: kinds against severities, and the rows without cues."""

from collections.abc import Iterable, Mapping
from typing import Any

from train.corruption.neutralised import NEUTRALISED
from train.metrics.missed import missed_in
from train.metrics.text import aligned, percent

__all__ = [
    "grid_heading",
    "grids",
    "neutralised_rows",
    "robustness_grid",
    "robustness_summary",
    "robustness_text",
]

#: The figures with a grid of their own, and their headings.
_GRIDS = {"accuracy": "Accuracy", "macro_f1": "Macro F1"}
_NEUTRALISED_HEAD = ("", "taken away", "accuracy", "change", "macro F1")
_CLEAN = "clean"


def grids(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures with a grid of their own, and their headings."""
    key, words = missed_in(table) or ("", "")
    return {**_GRIDS, key: f"{words[:1].upper()}{words[1:]}"} if key else _GRIDS


def robustness_text(table: Mapping[str, Any]) -> str:
    """Render a finished table for the terminal."""
    lines = [table["title"], *(f"  {line}" for line in robustness_summary(table))]
    for figure in grids(table):
        lines += ["", f"  {grid_heading(table, figure)}"]
        lines += aligned(robustness_grid(table, figure))
    lines += ["", f"  Cues taken away, n {table['n']}", *aligned(neutralised_rows(table))]
    return "\n".join(lines)


def robustness_summary(table: Mapping[str, Any]) -> list[str]:
    """Return lines with the overall figures: unchanged, mean of the corruptions, baselines."""
    clean = _cell(table, _CLEAN, 0)["figures"]
    corrupted = table["corrupted"]
    lines = [
        (
            f"unchanged: accuracy {percent(clean['model']['accuracy'])}, "
            f"{_missed(table, clean['model'], ', ')}"
            f"n {table['n']} of {table['groups']} patient groups"
        ),
        (
            f"mean of {corrupted['cells']} corruptions: accuracy {percent(corrupted['accuracy'])}"
            f"{_missed(table, corrupted, before=', ')}"
        ),
    ]
    if "nearest_neighbour" in clean:
        lines.append(
            f"nearest training thumbnail, unchanged: {percent(clean['nearest_neighbour']['accuracy'])}"
        )
    if "image_size" in table["baselines"]:
        its = table["baselines"]["image_size"]["accuracy"]
        lines.append(f"table of image sizes, whatever the pixels: {percent(its)}")
    return lines


def grid_heading(table: Mapping[str, Any], figure: str) -> str:
    """Name a grid, with the number of images in each of its cells."""
    n = _cell(table, _CLEAN, 0)["figures"]["model"][figure]["n"]
    return f"{grids(table)[figure]}, % (95 % interval), n {n} a cell"


def robustness_grid(table: Mapping[str, Any], figure: str) -> list[tuple[str, ...]]:
    """Return kinds against severities; the first row is the head."""
    corrupted = [cell for cell in table["cells"] if cell["severity"]]
    severities = range(1, max(cell["severity"] for cell in corrupted) + 1)
    kinds = dict.fromkeys(cell["kind"] for cell in corrupted)
    rows: list[tuple[str, ...]] = [("corruption", *(f"severity {it}" for it in severities))]
    clean = _short(_cell(table, _CLEAN, 0)["figures"]["model"][figure])
    rows.append((_CLEAN, clean, *("" for _ in severities[1:])))
    for kind in kinds:
        by_severity = {cell["severity"]: cell for cell in corrupted if cell["kind"] == kind}
        cells = (
            _short(by_severity[it]["figures"]["model"][figure]) if it in by_severity else ""
            for it in severities
        )
        rows.append((kind.replace("_", " "), *cells))
    return rows


def neutralised_rows(table: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the model and the nearest neighbour without each cue; the first row is the head."""
    key, words = missed_in(table) or ("", "")
    head: tuple[str, ...] = _NEUTRALISED_HEAD
    if key:
        head = (*head, f"{words}, n {_cell(table, _CLEAN, 0)['figures']['model'][key]['n']}")
    rows: list[tuple[str, ...]] = [head]
    for kind in (_CLEAN, *NEUTRALISED):
        for who, figures in _cell(table, kind, 0)["figures"].items():
            change = None if kind == _CLEAN else figures["change"]
            rows.append(
                (
                    who.replace("_", " "),
                    "nothing" if kind == _CLEAN else kind,
                    percent(figures["accuracy"], 1),
                    "" if change is None else percent(change, 1),
                    percent(figures["macro_f1"], 1),
                    *([percent(figures[key], 1)] if key else []),
                )
            )
    return rows


def _missed(
    table: Mapping[str, Any], figures: Mapping[str, Any], after: str = "", *, before: str = ""
) -> str:
    """Name what was missed, with something after or before it; empty without a negative class."""
    key, words = missed_in(table) or ("", "")
    return f"{before}{words} {percent(figures[key])}{after}" if key else ""


def _cell(table: Mapping[str, Any], kind: str, severity: int) -> Mapping[str, Any]:
    cells: Iterable[Mapping[str, Any]] = table["cells"]
    return next(it for it in cells if it["kind"] == kind and it["severity"] == severity)


def _short(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.0f}..{high:.0f})"
