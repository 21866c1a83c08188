"""Figures and verdicts in words, the same in the text and on the page."""

from collections.abc import Iterator, Mapping
from typing import Any

from edge_infer.drift.fitting import LEAST_REFERENCE
from edge_infer.drift.testing import LEAST_WINDOW
from edge_infer.names import counted, shown_name

__all__ = [
    "HEADLINES",
    "MARKS",
    "chance_words",
    "figure_words",
    "group_title",
    "lead_lines",
    "limit_lines",
    "measures_of",
    "title",
]

Result = Mapping[str, Any]

HEADLINES = {
    "drift": "Results have drifted beyond the limits",
    "no sign": "No sign of drift beyond the limits",
    "too few": "Too few images to say",
    "nothing to test": "Nothing to test in these results",
}
#: Not by colour alone.
MARKS = {
    "drift": "✗",
    "moved": "~",
    "no sign": "✓",
    "too few": "?",
    "nothing to test": "?",
    "no reference": "-",
}

_NAMES = {"ks": "KS", "psi": "PSI", "share": "share", "two_sample": "told apart"}
_MOST_NAMED = 4


def title(result: Result) -> str:
    """Return the verdict, with what has drifted."""
    words = HEADLINES[result["verdict"]]
    named = dict.fromkeys(
        one["measure"] + (f" of {shown_name(one['name'])}" if one["name"] else "")
        for one in result["drifted"]
    )
    if not named:
        return words
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{words}: {', '.join(list(named)[:_MOST_NAMED])}{more}"


def lead_lines(result: Result) -> Iterator[str]:
    """Yield what was compared, and how."""
    window, reference = result["window"], result["reference"]
    files = counted(window["files"], "input")
    yield (
        f"{window['n']:,} images of {files}"
        + (
            f", of {window['answered']:,} answered: one of each series"
            if window["of_series"]
            else ""
        )
        + (f"; {window['failed']:,} without an answer" if window["failed"] else "")
    )
    yield (
        f"Compared with {reference['n']:,} images of {reference['groups']:,} patients or series, "
        f"each image of an unknown one counted as one: {shown_name(reference['source'])}"
    )
    needed = f"a group needs {result['least_n']} images"
    if not result["tests"]:
        yield needed
        return
    yield (
        f"{result['tests']} tests, together at most {100 * result['limits']['alpha']:g} % false alarms "
        f"if the images are independent ({result['correction']}); {needed}"
    )


def group_title(group: Mapping[str, Any]) -> str:
    """Return what a group is, with its n and what it is compared with, or why it is not."""
    name = "All images" if group["by"] is None else f"{group['by']} {shown_name(group['name'])}"
    if group["state"] == "tested":
        against = f", against {group['reference_n']:,} of {shown_name(group['against'])}"
        return f"{name}: {group['n']:,}{against}"
    return "; ".join([f"{name}: {group['n']:,}", *_why_untested(group)])


def _why_untested(group: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a group lacks, the window's part of it first."""
    if group["n"] < LEAST_WINDOW:
        yield f"too few to test, of {LEAST_WINDOW} needed"
    if group["against"]:
        if group["state"] == "nothing to test":
            yield "nothing to test"
        return
    known = group["reference_n"]
    if known is None:
        yield f"none to compare with, or fewer than {LEAST_REFERENCE}"
    elif known >= LEAST_REFERENCE:
        yield f"{known:,} to compare with, but not among the groups that are kept"
    else:
        yield (
            f"{known} to compare with, of {LEAST_REFERENCE} needed"
            if known
            else ("none to compare with")
        )


def measures_of(group: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return a group's tests by measure."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for test in group["tests"]:
        found.setdefault(test["measure"], []).append(test)
    return found


def figure_words(test: Mapping[str, Any]) -> str:
    """Return ``KS 0.21 (0.14..0.28)``."""
    interval = "" if test["low"] is None else f" ({test['low']:.2f}..{test['high']:.2f})"
    return f"{_NAMES[test['test']]} {test['value']:.2f}{interval}"


def chance_words(test: Mapping[str, Any]) -> str:
    """Return the adjusted p."""
    p = test["p_adjusted"]
    return "p < 0.0001" if p < 0.0001 else f"p {p:.4f}" if p < 0.1 else f"p {p:.2f}"


def limit_lines(result: Result) -> Iterator[str]:
    """Yield what is not tested, and what to know; of tests that were not made there is nothing to know."""
    yield from (f"not tested: {line}" for line in result["not_tested"])
    if not result["tests"]:
        return
    if result["groups_left_out"]:
        yield f"{result['groups_left_out']} more groups were left out"
    if result["of_unknown_group"]:
        yield f"the {result['by']} of {result['of_unknown_group']:,} images is not known"
    yield from result["warnings"]
    yield "an interval is of one figure by itself (95 %); p is for all tests together"
    yield "drift says that images or answers are other than they were, not that answers are worse"
