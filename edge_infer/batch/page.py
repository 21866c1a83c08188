"""One HTML page about a run, or a run so far."""

from datetime import UTC, datetime

from edge_infer.batch.page_parts import Result, number_of
from edge_infer.batch.run_sections import run_section, throughput_section
from edge_infer.batch.sections import (
    answers_section,
    failures_section,
    origins_section,
    series_section,
)
from edge_infer.html_page.document import document
from edge_infer.html_page.parts import cell, section
from edge_infer.names import shown_name

__all__ = ["page_of"]


def page_of(result: Result) -> str:
    """Render the page.

    Args:
        result: Of ``Summary.as_json``. Names of files that failed are on the page, as many as ``EXAMPLES`` a code.
    """
    sections = [
        section("answers", "Answers", answers_section(result)),
        section("series", "Series", series_section(result)),
        section("failures", "Without an answer", failures_section(result)),
        section("throughput", "Throughput", throughput_section(result)),
        section("origins", "Planes and devices", origins_section(result)),
        section("run", "The run", run_section(result)),
    ]
    model = shown_name(result["model"])
    return document(
        title=f"Archive answered by {model}",
        header=(
            f"<h1>What {cell(model)} says of {number_of(result['planned_units'], 'unit')}</h1>\n"
            f'<p class="research">{cell(result["research_use_only"])}</p>\n{_lead(result)}'
        ),
        sections=sections,
        footer=(
            f"<p>{cell(result['research_use_only'])}</p><p>Made by <code>brain-batch</code>{_when(result)}. "
            "These are answers, counted; how good they are is in the bundle's model card. Slices of one patient are "
            "not independent, so shares have no interval.</p>"
        ),
        style_of="batch",
    )


def _lead(result: Result) -> str:
    answered = result["accepted"] + result["abstained"]
    refused = f"; {_refused(result)} of scans refused" if result["refused"] else ""
    what = "1 image or slice" if answered == 1 else f"{answered:,} images and slices"
    line = (
        f"{what} answered: {result['accepted']:,} accepted, "
        f"{result['abstained']:,} not accepted; {result['failed']:,} failed{refused}"
    )
    kind, lead = _ending(result, answered)
    return f'<div class="verdict {kind}"><p class="lead">{cell(lead)}</p><p>{cell(line)}.</p></div>'


def _ending(result: Result, answered: int) -> tuple[str, str]:
    """Return a class of the style sheet and a sentence; a check mark only where something has an answer."""
    if not result["is_complete"]:
        planned = number_of(result["planned_partitions"], "partition")
        return "few", f"? Not finished: {result['partitions']:,} of {planned}"
    failed = [f"{result['failed']:,} failed"] if result["failed"] else []
    without = ", ".join([*failed, *([f"{_refused(result)} refused"] if result["refused"] else [])])
    if not answered:
        why = f": {without}" if without else ""
        return "exceeded", f"✗ Finished; nothing has an answer{why}"
    if without:
        return "few" if failed else "held", f"✓ Finished; {without}"
    return "held", "✓ Finished; everything has an answer"


def _refused(result: Result) -> str:
    return number_of(result["refused"], "file")


def _when(result: Result) -> str:
    throughput = result["throughput"]
    if throughput is None:
        return ""
    first, last = (
        f"{datetime.fromtimestamp(throughput[key], UTC):%Y-%m-%d %H:%M}"
        for key in ("started", "ended")
    )
    return f" from {first} to {last} UTC"
