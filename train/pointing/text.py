"""The pointing game's result as rows of a table."""

from collections.abc import Mapping
from typing import Any

from train.metrics.missed import negative_in
from train.metrics.text import aligned, percent

__all__ = ["pointing_notes", "pointing_rows", "pointing_text"]

_HEAD = ("images", "n", "hit, answer", "hit, true class", "near, answer", "centre", "chance")
_COLUMNS = ("hit_answer", "hit_true", "near_answer", "centre", "chance")


def pointing_text(result: Mapping[str, Any]) -> str:
    """Render the result of ``train.pointing.report`` for the terminal."""
    lines = [result["title"], *aligned(pointing_rows(result))]
    return "\n".join([*lines, *(f"  {note}" for note in pointing_notes(result))])


def pointing_rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table; its first row is the head."""
    rows = [_HEAD, _row("all", result["all"])]
    for kind, parts in result["by"].items():
        for name, figures in parts.items():
            rows.append(_row(_name(kind, name, figures), figures))
    return rows


def pointing_notes(result: Mapping[str, Any]) -> list[str]:
    """Explain the columns, and give the figures that have no column."""
    every, tolerance = result["all"], result["tolerance"]
    negative = negative_in(result)
    miss = "" if negative is None else f" An answer of {negative} is a miss."
    h, w = result["evidence_shape"]
    return [
        (
            "hit: the largest evidence lies inside the tumour's outline; for the answer, or for the true class."
            f"{miss}"
        ),
        (
            f"near: inside, or within {tolerance['pixels']} of {tolerance['of_side']} pixels of it (Zhang et al. "
            f"2016); centre: the middle of the image; chance: mean share of the image inside, "
            f"{percent(every['chance'])}, near: {percent(every['chance_near'])}."
        ),
        (
            f"hit of the answer, interval over {every['groups']} patient groups: "
            f"{percent(every['hit_answer_by_group'])}; of the true class: {percent(every['hit_true_by_group'])}."
        ),
        (
            f"positive evidence inside, mean: {percent(every['mass_answer'])} for the answer, "
            f"{percent(every['mass_true'])} for the true class."
        ),
        (
            f"intersection over union at each image's best threshold, an upper bound: "
            f"{percent(every['iou_answer'])} and {percent(every['iou_true'])}."
        ),
        f"evidence has {h} x {w} places.",
    ]


def _row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    cells = (percent(figures[column], 1) for column in _COLUMNS[:-1])
    return (name, str(figures["n"]), *cells, f"{100 * figures['chance']['value']:.2f} %")


def _name(kind: str, name: str, figures: Mapping[str, Any]) -> str:
    if kind == "answer":
        return f"{name} answers"
    if kind == "size":
        share = figures["mask_share"]
        return f"size, {name}: {100 * share['least']:.2f}..{100 * share['most']:.2f} % of the image"
    return name
