"""One HTML page about a run, or a run so far. It loads nothing and needs no script."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

from edge_infer.batch.page_parts import Result, number_of
from edge_infer.batch.run_sections import run_section, throughput_section
from edge_infer.batch.sections import (
    answers_section,
    failures_section,
    origins_section,
    series_section,
)
from edge_infer.comparison.html_parts import cell
from edge_infer.names import shown_name

__all__ = ["page_of"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page_of(result: Result) -> str:
    """Render the page.

    Args:
        result: Of ``Summary.as_json``. Names of files that failed are on the page, as many as ``EXAMPLES`` a code.
    """
    # The page of a comparison, and what this one has beside it.
    css = "".join(
        files(f"edge_infer.{room}").joinpath("page.css").read_text(encoding="utf-8")
        for room in ("comparison", "batch")
    )
    sections = [
        _section("answers", "Answers", answers_section(result)),
        _section("series", "Series", series_section(result)),
        _section("failures", "Without an answer", failures_section(result)),
        _section("throughput", "Throughput", throughput_section(result)),
        _section("origins", "Planes and devices", origins_section(result)),
        _section("run", "The run", run_section(result)),
    ]
    model = cell(shown_name(result["model"]))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>Archive answered by {model}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>What {model} says of {number_of(result['planned_units'], 'unit')}</h1>\n"
        f'<p class="research">{cell(result["research_use_only"])}</p>\n{_lead(result)}</header>\n'
        f"<main>\n{''.join(sections)}</main>\n"
        f"<footer><p>{cell(result['research_use_only'])}</p><p>Made by <code>brain-batch</code>{_when(result)}. "
        "These are answers, counted; how good they are is in the bundle's model card. Slices of one patient are "
        "not independent, so shares have no interval.</p></footer>\n</body>\n</html>\n"
    )


def _lead(result: Result) -> str:
    answered = result["accepted"] + result["abstained"]
    failed = result["failed"]
    if not result["is_complete"]:
        kind, lead = (
            "few",
            (
                f"? Not finished: {result['partitions']:,} of "
                f"{number_of(result['planned_partitions'], 'partition')}"
            ),
        )
    elif failed:
        kind, lead = "few", f"✓ Finished; {failed:,} failed"
    else:
        kind, lead = "held", "✓ Finished; everything has an answer"
    lines = [
        f"{answered:,} images and slices answered: {result['accepted']:,} accepted, "
        f"{result['abstained']:,} not accepted; {failed:,} failed"
        + (
            f"; {number_of(result['refused'], 'file')} of scans refused"
            if result["refused"]
            else ""
        ),
    ]
    return (
        f'<div class="verdict {kind}"><p class="lead">{cell(lead)}</p>{_paragraphs(lines)}</div>\n'
    )


def _paragraphs(lines: Sequence[str]) -> str:
    return "".join(f"<p>{cell(line)}.</p>" for line in lines)


def _when(result: Result) -> str:
    throughput = result["throughput"]
    if throughput is None:
        return ""
    first, last = (
        f"{datetime.fromtimestamp(throughput[key], UTC):%Y-%m-%d %H:%M}"
        for key in ("started", "ended")
    )
    return f" from {first} to {last} UTC"


def _section(name: str, heading: str, content: str) -> str:
    if not content:
        return ""
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{cell(heading)}</h2>\n{content}\n</section>\n'
