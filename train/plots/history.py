"""The history of a run as one curve, with epochs numbered across its phases."""

from collections.abc import Iterable
from typing import Any

__all__ = ["class_history"]


def class_history(history: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the entries of the phases that learn classes, with epochs numbered across phases.

    Args:
        history: Of training.json; entries of a named phase have ``phase``.
    """
    by_phase: dict[str, list[dict[str, Any]]] = {}
    for entry in history:
        by_phase.setdefault(entry.get("phase", ""), []).append(entry)
    joined: list[dict[str, Any]] = []
    before = 0.0
    for entries in by_phase.values():
        if any("eval_accuracy" in entry for entry in entries):
            joined += [{**entry, "epoch": before + entry["epoch"]} for entry in entries]
            before = joined[-1]["epoch"]
    return joined
