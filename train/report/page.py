"""The report as one self-contained HTML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edge_infer.names import shown_name
from train.report.scans import DRAW_SEED, MISTAKES, per_class

__all__ = ["render_page"]

_NONE = "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"
_MINUTES_ONLY = 600


def render_page(report: Mapping[str, Any], images: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: As ``summarize`` returns it.
        images: ``epochs``; ``pretraining`` (whether that plot shows phases before the classifier); ``classes`` if a
            data set was given; ``answers`` and ``grids`` by run number; ``notes`` by run number, saying why a run has
            no grid; ``scans`` by file name.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "interval": _interval,
        "duration": _duration,
        "megabytes": _megabytes,
        "shown": shown_name,
        "capital": _capital,
    }
    return environment.get_template("report.html.j2").render(
        report=report,
        images=images,
        labels=report["classes"],
        draw_seed=DRAW_SEED,
        per_class=per_class(len(report["classes"])),
        mistakes=MISTAKES,
    )


def _capital(words: str) -> str:
    """Begin with a capital letter; Jinja's filter of that name makes the others small."""
    return words[:1].upper() + words[1:]


def _percent(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return _NONE
    return f"{100 * figure['value']:.2f}{_SPACE}%"


def _interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return ""
    if figure["low"] is None:
        return f"interval not stated, n {figure['n']}"
    return f"{100 * figure['low']:.1f}{_NONE}{100 * figure['high']:.1f}, n {figure['n']}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    if seconds < _MINUTES_ONLY:
        return f"{seconds / 60:.1f}{_SPACE}min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}{_SPACE}h {minutes:02d}{_SPACE}min" if hours else f"{minutes}{_SPACE}min"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}{_SPACE}MB"
