"""What the sections of the page share: tables by decision, bars, numbers in words."""

from collections.abc import Mapping
from typing import Any

from edge_infer.html_page.parts import cell
from edge_infer.names import shown_name

__all__ = ["SHOWN", "Result", "by_decision", "more", "number_of", "percent", "shown"]

#: Of ``Summary.as_json``.
Result = Mapping[str, Any]

#: Of workers, devices and inputs, so many are listed.
SHOWN = 50


def number_of(count: int, noun: str) -> str:
    """Return ``1 image``, ``12,000 images``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def by_decision(found: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return rows for a table, ``SHOWN`` at most: name, answers, accepted, not accepted, share with a bar."""
    totals = [sum(one.values()) for one in found.values()]
    total, most = sum(totals), max(totals)
    rows = []
    for name, one in list(found.items())[:SHOWN]:
        accepted, abstained = one.get("accept", 0), one.get("abstain", 0)
        rows.append(
            [
                shown(name) or "not known",
                f"{accepted + abstained:,}",
                f"{accepted:,} ({percent(accepted, accepted + abstained)})",
                f"{abstained:,}",
                f"{_bar(accepted / most, abstained / most)} {percent(accepted + abstained, total)}",
            ]
        )
    return rows


def percent(count: int, total: int) -> str:
    """Return a share as ``12.5 %``; a dash of nothing."""
    return f"{count / total:.1%}".replace("%", " %") if total else "-"


def shown(name: str) -> str:
    """Return a name of a file or a header for HTML."""
    return cell(shown_name(name))


def more(number: int, noun: str) -> str:
    """Return a sentence for what is beyond ``SHOWN``; empty where nothing is."""
    return (
        f"<p>And {number_of(number - SHOWN, noun)} more, in summary.json.</p>"
        if number > SHOWN
        else ""
    )


def _bar(accepted: float, abstained: float) -> str:
    first, second = (f"{100 * share:.2f}" for share in (accepted, abstained))
    return (
        '<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rest" width="100" height="10"/><rect class="accepted" width="{first}" height="10"/>'
        f'<rect class="abstained" x="{first}" width="{second}" height="10"/></svg>'
    )
