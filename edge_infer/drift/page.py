"""One HTML page about a window of results: the verdict first."""

from collections.abc import Mapping
from typing import Any

from edge_infer.drift.sections import group_section, limits_section, notes_section
from edge_infer.drift.words import MARKS, group_title, lead_lines, title
from edge_infer.html_page.document import document
from edge_infer.html_page.parts import cell, section
from edge_infer.names import shown_name

__all__ = ["page_of"]

_CLASSES = {"drift": "drift", "no sign": "held", "too few": "few"}


def page_of(result: Mapping[str, Any]) -> str:
    """Render the page; no image and no name of a file is on it."""
    model = shown_name(result["reference"]["model"])
    tested = [group for group in result["groups"] if group["state"] == "tested"]
    others = [group for group in result["groups"] if group["state"] != "tested"]
    sections = [
        *(
            section(f"group-{number}", group_title(group), group_section(group))
            for number, group in enumerate(tested)
        ),
        section("untested", "Not tested", _listed([group_title(group) for group in others])),
        section("limits", "Limits", limits_section(result)),
        section("notes", "What to know", notes_section(result)),
    ]
    lines = "".join(f"<p>{cell(line)}.</p>" for line in lead_lines(result))
    return document(
        title=f"Drift of results of {model}",
        header=(
            f"<h1>Do results of {cell(model)} still look as they did?</h1>\n"
            f'<p class="research">{cell(result["research_use_only"])}</p>\n'
            f'<div class="verdict {_CLASSES[result["verdict"]]}"><p class="lead">{MARKS[result["verdict"]]} '
            f"{cell(title(result))}</p>{lines}</div>"
        ),
        sections=sections,
        footer=(
            f"<p>{cell(result['research_use_only'])}</p><p>Made by <code>{cell(result['command'])}</code>, "
            f"bundle <code>{cell(result['reference']['manifest_sha256'][:16])}</code>.</p>"
        ),
        style_of="drift",
    )


def _listed(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{cell(line)}</li>' for line in lines)}</ul>" if lines else ""
