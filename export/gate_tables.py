"""How the tables of the gate are read: under which names they count flips, and in which words these are shown."""

from collections.abc import Mapping
from typing import Any

__all__ = ["FLIPS_KEYS", "flips_by_class", "flips_of", "share_text"]

#: Flips to the negative class: of the four brain classes, whose name is older than other classes, and of others.
FLIPS_KEYS = ("tumor_to_no_tumor_flips", "positive_to_negative_flips")

#: Of more classes, flips are shown as a sum.
_SHOWN = 10


def flips_of(table: Mapping[str, Any]) -> int | None:
    """Return the flips to the negative class that a table counts; None where no class is such."""
    return next((int(table[key]) for key in FLIPS_KEYS if key in table), None)


def share_text(share: Mapping[str, Any]) -> str:
    """Return a share with its 95 % interval, such as ``99.66 % (98.77..99.91)``; ``-`` where it is one of no images.

    Args:
        share: Figure of a gate's table.
    """
    if share["value"] is None:
        return "-"
    value, low, high = (100 * share[key] for key in ("value", "low", "high"))
    return f"{value:.2f} % ({low:.2f}..{high:.2f})"


def flips_by_class(per_class: Mapping[str, Mapping[str, Any]], *, between: str = "/") -> str:
    """Return the flips of each class; of more than ten classes, their sum.

    Args:
        per_class: Of a gate's table.
        between: What stands between two numbers.
    """
    flips = [row["flips"] for row in per_class.values()]
    if len(flips) > _SHOWN:
        return f"{sum(flips)} in {sum(map(bool, flips))} classes"
    return between.join(map(str, flips))
