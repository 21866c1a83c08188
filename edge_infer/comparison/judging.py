"""Each limit held against its figures, and the verdict on the whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_infer.comparison.limits import Limit, Verdict, needed_for_none, verdict_on
from edge_infer.names import counted

__all__ = ["ORDER", "Judged", "judge", "overall"]

#: From worst to best.
ORDER: tuple[Verdict, ...] = ("exceeded", "too few", "not judged", "held")

_NOTHING = {"value": None, "n": 0, "low": None, "high": None, "interval": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A limit, and what was found.

    Attributes:
        limit: As stated.
        rows: One figure each, with ``of`` (what it is of) and ``verdict``.
        verdict: The worst of the rows.
        why: Why it was not judged, or what is lacking; empty otherwise.
    """

    limit: Limit
    rows: tuple[dict[str, Any], ...]
    verdict: Verdict
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "name": self.limit.name,
            "words": self.limit.words,
            "kind": self.limit.kind,
            "most": self.limit.most,
            "margin": self.limit.margin,
            "stated": self.limit.is_asked,
            "verdict": self.verdict,
            "why": self.why,
            "rows": list(self.rows),
        }


def judge(limits: Mapping[str, Limit], result: Mapping[str, Any]) -> list[Judged]:
    """Judge all limits.

    Args:
        limits: By name.
        result: Figures, as ``edge_infer.comparison.comparing`` gathers them.
    """
    judged = []
    for name, limit in limits.items():
        figures, missing = _figures(name, result)
        rows = tuple({"of": of, **each, "verdict": verdict_on(limit, each)} for of, each in figures)
        if not rows:
            rows = ({"of": "", **_NOTHING, "verdict": verdict_on(limit, _NOTHING)},)
        worst = min((row["verdict"] for row in rows), key=ORDER.index)
        judged.append(
            Judged(limit=limit, rows=rows, verdict=worst, why=_why(limit, rows, worst, missing))
        )
    return judged


def overall(judged: Sequence[Judged]) -> Verdict:
    """Return ``exceeded`` if a limit is, else ``too few`` if one is, else ``held``; never ``not judged`` alone."""
    found = {each.verdict for each in judged}
    for verdict in ("exceeded", "too few"):
        if verdict in found:
            return "exceeded" if verdict == "exceeded" else "too few"
    return "held" if "held" in found else "too few"


def _figures(name: str, result: Mapping[str, Any]) -> tuple[list[tuple[str, dict[str, Any]]], str]:
    """Return the figures that a limit speaks of, and what is missing where there are none."""
    single = _single(name, result)
    if single is not None:
        return [("", single)] if single["n"] else [], "no such images"
    truth, cost, series = result["truth"], result["cost"], result["series"]
    if name in ("accuracy_drop", "ece_rise"):
        if truth is None:
            return [], "no labels are known"
        if name == "ece_rise":
            return [("", truth["calibration"]["ece"]["rise"])], ""
        return [(of, row["drop"]) for of, row in truth["accuracy"].items()], ""
    if name.startswith("series_"):
        figure = None if series is None else series[name.removeprefix("series_")]
        return ([("", figure)], "") if figure and figure["n"] else ([], "no such series")
    part = "inference_ms" if name == "latency_ratio" else "peak_mb"
    if cost is None:
        return [], "time and memory were not measured (--rounds 0)"
    if part not in cost:
        return [], "this system does not say"
    figure = cost[part]["p50"]["ratio"] if part == "inference_ms" else cost[part]["ratio"]
    return [("", figure)], ""


def _single(name: str, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the figure of a limit that speaks of one and needs nothing but answers; None for others."""
    flips, decisions = result["flips"], result["decisions"]
    negative = flips["negative"] or {}
    figures: dict[str, Any] = {
        "flips": flips["all"],
        "accepted_flips": flips["accepted"],
        "positive_to_negative": negative.get("to_negative_judged", _NOTHING),
        "negative_to_positive": negative.get("from_negative_judged", _NOTHING),
        "accepted_lost": decisions["lost"],
        "accepted_gained": decisions["gained"],
        "newly_failed": result["failures"]["newly_failed"],
    }
    return figures.get(name)


def _why(limit: Limit, rows: Sequence[Mapping[str, Any]], worst: Verdict, missing: str) -> str:
    if worst in ("held", "exceeded"):
        return ""
    if rows[0]["value"] is None:
        return missing or "no such images"
    return "; ".join(_lacking(limit, rows))


def _lacking(limit: Limit, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield why the figures do not suffice, once for all rows."""
    allowed = limit.most + limit.margin
    ends = [row["high"] for row in rows if row["high"] is not None and row["high"] > allowed]
    if ends:
        yield f"the interval reaches {max(ends):.4f}, and {allowed:.4f} is allowed"
    fewest = min(row["n"] for row in rows)
    if fewest < limit.least:
        yield f"n is {fewest}, and at least {limit.least} are needed"
    groups = min(row.get("groups", row["n"]) for row in rows)
    if groups < limit.least_groups:
        yield f"the images are of {counted(groups, 'group')}, and at least {limit.least_groups} are needed"
    needed = needed_for_none(limit)
    if ends and needed is not None and all(row.get("count") == 0 for row in rows):
        yield f"without a single case {needed} independent images are enough"
