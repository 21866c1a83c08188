"""A whole page, and the style that all pages share."""

from collections.abc import Iterable
from importlib.resources import files

from edge_infer.html_page.parts import cell

__all__ = ["document"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(
    *,
    title: str,
    header: str,
    sections: Iterable[str],
    footer: str,
    style_of: str | None = None,
    policy: str = "",
) -> str:
    """Render a page; it follows the reader's light or dark scheme.

    Args:
        title: Text; escaped here.
        header: HTML.
        sections: HTML of each; see ``edge_infer.html_page.parts.section``.
        footer: HTML.
        style_of: The room of ``edge_infer`` whose ``page.css`` is added to the shared style.
        policy: What the page may load beside its own style, as a directive of a content security policy.
    """
    rooms = ["html_page", *([style_of] if style_of else [])]
    style = "".join(
        files(f"edge_infer.{room}").joinpath("page.css").read_text(encoding="utf-8")
        for room in rooms
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}{policy and f"; {policy}"}">\n'
        f"<title>{cell(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>\n{header}\n</header>\n<main>\n{''.join(sections)}</main>\n"
        f"<footer>{footer}</footer>\n</body>\n</html>\n"
    )
