"""The page of a training report, parsed, and figures as it writes them."""

from html.parser import HTMLParser
from typing import Any

DASH = "\N{EN DASH}"


class Page(HTMLParser):
    """The page's tags and texts, and the cells of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def shown(figure: dict[str, Any]) -> str:
    """A figure as the page writes it."""
    if figure["value"] is None:
        return DASH
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.2f} % {low:.1f}{DASH}{high:.1f}, n {figure['n']}"
