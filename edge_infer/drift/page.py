"""One HTML page about a window of results: the verdict first. It loads nothing and needs no script."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from edge_infer.comparison.html_parts import cell
from edge_infer.drift.sections import group_section, limits_section, notes_section
from edge_infer.drift.words import MARKS, group_title, lead_lines, title
from edge_infer.names import shown_name

__all__ = ["page_of"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CLASSES = {"drift": "drift", "no sign": "held", "too few": "few"}


def page_of(result: Mapping[str, Any]) -> str:
    """Render the page; no image and no name of a file is on it."""
    # The page of a comparison, and what this one has beside it.
    css = "".join(
        files(f"edge_infer.{room}").joinpath("page.css").read_text(encoding="utf-8")
        for room in ("comparison", "drift")
    )
    model = cell(shown_name(result["reference"]["model"]))
    tested = [group for group in result["groups"] if group["state"] == "tested"]
    others = [group for group in result["groups"] if group["state"] != "tested"]
    sections = [
        *(
            _section(f"group-{number}", group_title(group), group_section(group))
            for number, group in enumerate(tested)
        ),
        _section("untested", "Not tested", _listed([group_title(group) for group in others])),
        _section("limits", "Limits", limits_section(result)),
        _section("notes", "What to know", notes_section(result)),
    ]
    lines = "".join(f"<p>{cell(line)}.</p>" for line in lead_lines(result))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>Drift of results of {model}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>Do results of {model} still look as they did?</h1>\n"
        f'<p class="research">{cell(result["research_use_only"])}</p>\n'
        f'<div class="verdict {_CLASSES[result["verdict"]]}"><p class="lead">{MARKS[result["verdict"]]} '
        f"{cell(title(result))}</p>{lines}</div>\n</header>\n"
        f"<main>\n{''.join(sections)}</main>\n"
        f"<footer><p>{cell(result['research_use_only'])}</p><p>Made by <code>{cell(result['command'])}</code>, "
        f"bundle <code>{cell(result['reference']['manifest_sha256'][:16])}</code>.</p></footer>\n</body>\n</html>\n"
    )


def _section(name: str, heading: str, content: str) -> str:
    if not content:
        return ""
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{cell(heading)}</h2>\n{content}\n</section>\n'


def _listed(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{cell(line)}</li>' for line in lines)}</ul>" if lines else ""
