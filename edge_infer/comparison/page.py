"""One HTML page about a comparison: the verdict first. It loads nothing and needs no script."""

from pathlib import Path

from edge_infer.comparison.comparing import Comparison
from edge_infer.comparison.html_parts import cell
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
from edge_infer.names import counted, shown_name

__all__ = ["page_of"]

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page_of(comparison: Comparison) -> str:
    """Render the page.

    Images are on it only where the comparison kept small copies of them.
    """
    result = comparison.result
    css = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    old, new = (shown_name(result["bundles"][side]["model"]) for side in ("old", "new"))
    sections = [
        _section("limits", "Limits", limits_section(result)),
        _section("labels", "Labels", labels_section(result)),
        _section("decisions", "Accepted and not accepted", decisions_section(result)),
        _section("probabilities", "Probabilities", shift_section(comparison)),
        _section("accuracy", "Accuracy and calibration", truth_section(result)),
        _section("series", "Series", series_section(result)),
        _section("cost", "Time and memory", cost_section(result)),
        _section("bundles", "The bundles, as their manifests say", bundles_section(result)),
        _section("cases", "Images that changed", cases_section(comparison)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>Change impact: {cell(old)} to {cell(new)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"{_header(result, old, new)}<main>\n{''.join(sections)}</main>\n{_footer(result)}</body>\n</html>\n"
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
        f"<header>\n<h1>What changes from {cell(old)} to {cell(new)}</h1>\n"
        f'<p class="research">{cell(result["research_use_only"])}</p>\n'
        f'<div class="verdict {CLASSES[verdict]}">{"".join(parts)}</div>\n</header>\n'
    )


def _footer(result: Result) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"<footer><p>{cell(result['research_use_only'])}</p><p>Made by <code>{cell(result['command'])}</code> on "
        f"{cell(shown_name(machine['cpu']))}, {machine['usable_cores']} cores, {cell(machine['system'])}, "
        f"{cell(result['provider'])}; Python {cell(machine['python'])}, {cell(versions)}.</p></footer>\n"
    )


def _section(name: str, heading: str, content: str) -> str:
    if not content:
        return ""
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{cell(heading)}</h2>\n{content}\n</section>\n'
