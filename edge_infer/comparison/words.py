"""Figures and verdicts in words, the same in the text and on the page."""

from collections.abc import Mapping
from typing import Any

from edge_infer.names import shown_name

__all__ = [
    "HEADLINES",
    "MARKS",
    "bundle_rows",
    "corrections",
    "limit_figure",
    "limit_rule",
    "limit_words",
    "number",
    "open_limits",
    "percent",
    "points",
    "said",
    "title",
]

HEADLINES = {
    "held": "All limits held",
    "exceeded": "A limit is exceeded",
    "too few": "Not exceeded, but too few images to say",
}
#: Not by colour alone.
MARKS = {"held": "✓", "exceeded": "✗", "too few": "?", "not judged": "-"}

Figure = Mapping[str, Any]


def percent(figure: Figure, digits: int = 1) -> str:
    """Return ``1.2 % (0.6..2.1), 7 of 600``; a dash if it is undefined."""
    if figure["value"] is None:
        return "- (n 0)"
    value, low, high = (f"{100 * figure[key]:.{digits}f}" for key in ("value", "low", "high"))
    of = f"{figure['count']} of {figure['n']}" if "count" in figure else f"n {figure['n']}"
    return f"{value} % ({low}..{high}), {of}{_groups(figure)}"


def points(figure: Figure) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    if figure["value"] is None:
        return "- (n 0)"
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f}..{high:+.1f}), n {figure['n']}{_groups(figure)}"


def number(figure: Figure, digits: int = 4, unit: str = "") -> str:
    """Return a plain number with its interval and n."""
    if figure["value"] is None:
        return "- (n 0)"
    value, low, high = (f"{figure[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value}{unit} ({low}..{high}), n {figure['n']}"


def limit_words(limit: Mapping[str, Any], negative: str | None) -> str:
    """Return what a limit is about."""
    return str(limit["words"]).format(negative=shown_name(negative or "the negative class"))


def limit_rule(limit: Mapping[str, Any]) -> str:
    """Return what a limit allows: what may be seen, and where the interval must end."""
    most, end = limit["most"], limit["most"] + limit["margin"]
    if limit["kind"] == "ratio":
        return f"at most {most:g}, sure to be below {end:g}"
    if limit["name"] == "ece_rise":
        return f"at most {most:.3f}, sure to be below {end:.3f}"
    unit = " points" if limit["kind"] == "difference" else " %"
    return f"at most {100 * most:g}{unit}, sure to be below {100 * end:g}{unit}"


def limit_figure(limit: Mapping[str, Any], row: Figure) -> str:
    """Return the figure that was held against a limit."""
    if row["value"] is None:
        return "-"
    if limit["kind"] == "ratio":
        return number(row, 2)
    if limit["name"] == "ece_rise":
        return number(row, 4)
    return points(row) if limit["kind"] == "difference" else percent(row)


def corrections(truth: Mapping[str, int]) -> str:
    """Return what became of changed labels whose class is known."""
    both = truth["wrong_before_and_after"]
    return (
        f"{truth['corrected']} corrected, {truth['spoiled']} spoiled, {both} wrong before and after"
    )


def title(result: Mapping[str, Any]) -> str:
    """Return the verdict, with the limits behind it."""
    verdict = str(result["verdict"])
    named = [one["name"] for one in result["limits"] if one["verdict"] == verdict]
    return HEADLINES[verdict] + (f": {', '.join(named)}" if named and verdict != "held" else "")


def open_limits(result: Mapping[str, Any]) -> list[str]:
    """Return the limits that could not be judged and were not asked for."""
    return [one["name"] for one in result["limits"] if one["verdict"] == "not judged"]


def said(answer: Mapping[str, Any]) -> str:
    """Return one bundle's answer about an image."""
    label = f"{shown_name(answer['label'])} {100 * answer['score']:.0f} %"
    return (
        label
        if answer["decision"] == "accept"
        else f"{label}, abstains ({', '.join(answer['reasons'])})"
    )


def _groups(figure: Figure) -> str:
    """Return of how many groups the images are, where that is fewer."""
    groups = figure.get("groups", figure["n"])
    return f", {groups} groups" if groups < figure["n"] else ""


def bundle_rows(bundles: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return what the manifests say, a row for each fact: name, old, new."""
    old, new = _facts(bundles["old"]), _facts(bundles["new"])
    return [(name, old[name], new[name]) for name in old]


def _facts(facts: Mapping[str, Any]) -> dict[str, str]:
    training, trust = facts["training"], facts["trust"]
    accuracy = "; ".join(_published(one) for one in facts["accuracy"]) or "not said"
    height, width = facts["image_size"]
    trained = f"{training['data']}, n {training['n_train']}, recipe {training['recipe']}"
    scope = None if trust is None else trust["scope_threshold"]
    shown = {
        "named": facts["shown"],
        "model": f"{facts['model']}, {facts['precision']}, {width} x {height} pixels",
        "manifest": f"{facts['manifest_sha256'][:16]}…, schema {facts['schema_version']}",
        "model.onnx": f"{facts['model_sha256'][:16]}…, {facts['model_bytes'] / 1e6:.2f} MB",
        "all files": f"{facts['total_bytes'] / 1e6:.2f} MB",
        "accuracy as published": accuracy,
        "trained on": f"{trained}, seed {training['seed']}",
        "temperature": f"{facts['temperature']:g}",
        "least score": "none: it accepts any" if trust is None else f"{trust['least_score']:g}",
        "scope threshold": "no scope check" if scope is None else f"{scope:.3g}",
        "series rule": facts["series_rule"] or "none",
    }
    return {name: shown_name(words) for name, words in shown.items()}


def _published(one: Mapping[str, Any]) -> str:
    numbers = [one["value"], one["low"], one["high"]]
    if not all(isinstance(value, int | float) for value in numbers):
        return str(one["title"])
    value, low, high = numbers
    return f"{100 * value:.1f} % ({100 * low:.1f}..{100 * high:.1f}), n {one['n']}: {one['title']}"
