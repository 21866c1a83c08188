"""One HTML page about a comparison: the verdict first."""

from edge_infer.comparison.comparing import Comparison
from edge_infer.comparison.sections import (
    CLASSES,
    Result,
    bundles_section,
    cases_section,
    cost_section,
    decisions_section,
    labels_section,
    limits_section,
    series_section,
    shift_section,
    truth_section,
)
from edge_infer.comparison.words import MARKS, open_limits, title
from edge_infer.html_page.document import document
from edge_infer.html_page.parts import cell, section
from edge_infer.names import counted, shown_name

__all__ = ["page_of"]


def page_of(comparison: Comparison) -> str:
    """Render the page.

    Images are on it only where the comparison kept small copies of them.
    """
    result = comparison.result
    old, new = (shown_name(result["bundles"][side]["model"]) for side in ("old", "new"))
    sections = [
        section("limits", "Limits", limits_section(result)),
        section("labels", "Labels", labels_section(result)),
        section("decisions", "Accepted and not accepted", decisions_section(result)),
        section("probabilities", "Probabilities", shift_section(comparison)),
        section("accuracy", "Accuracy and calibration", truth_section(result)),
        section("series", "Series", series_section(result)),
        section("cost", "Time and memory", cost_section(result)),
        section("bundles", "The bundles, as their manifests say", bundles_section(result)),
        section("cases", "Images that changed", cases_section(comparison)),
    ]
    return document(
        title=f"Change impact: {old} to {new}",
        header=_header(result, old, new),
        sections=sections,
        footer=_footer(result),
        policy="img-src data:",
    )


def _header(result: Result, old: str, new: str) -> str:
    verdict = result["verdict"]
    open_ones = open_limits(result)
    parts = [f'<p class="lead">{MARKS[verdict]} {cell(title(result))}</p>']
    data = result["data"]
    parts.append(
        f"<p>{data['answered_by_both']} of {data['asked']} images answered by both, "
        f"{counted(data['groups'], 'independent group')}; class known of {data['labelled']}.</p>"
    )
    if open_ones:
        parts.append(f"<p>Not judged: {cell(', '.join(open_ones))}.</p>")
    return (
        f"<h1>What changes from {cell(old)} to {cell(new)}</h1>\n"
        f'<p class="research">{cell(result["research_use_only"])}</p>\n'
        f'<div class="verdict {CLASSES[verdict]}">{"".join(parts)}</div>'
    )


def _footer(result: Result) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"<p>{cell(result['research_use_only'])}</p><p>Made by <code>{cell(result['command'])}</code> on "
        f"{cell(shown_name(machine['cpu']))}, {machine['usable_cores']} cores, {cell(machine['system'])}, "
        f"{cell(result['provider'])}; Python {cell(machine['python'])}, {cell(versions)}.</p>"
    )
