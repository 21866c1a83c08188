"""The comparison as text: the verdict first, then every test that found something, then the rest."""

from collections.abc import Iterator, Mapping
from typing import Any

from edge_infer.drift.words import (
    MARKS,
    chance_words,
    figure_words,
    group_title,
    lead_lines,
    limit_lines,
    measures_of,
    title,
)
from edge_infer.names import shown_name

__all__ = ["text_of"]

_WORST = ("drift", "moved", "no sign")


def text_of(result: Mapping[str, Any]) -> str:
    """Render a result for people, ending with a line end."""
    lines = [
        f"{MARKS[result['verdict']]} {title(result)}",
        *(f"  {line}" for line in lead_lines(result)),
        "",
    ]
    for group in result["groups"]:
        lines += [group_title(group), *_tests(group)]
    lines += ["", *(f"- {line}" for line in limit_lines(result)), str(result["research_use_only"])]
    return "\n".join(lines) + "\n"


def _tests(group: Mapping[str, Any]) -> Iterator[str]:
    quiet = []
    for measure, tests in measures_of(group).items():
        worst = min((test["verdict"] for test in tests), key=_WORST.index)
        if worst == "no sign":
            quiet.append(measure)
            continue
        figures = ", ".join(f"{figure_words(test)} {chance_words(test)}" for test in tests)
        yield f"  {MARKS[worst]} {worst:<6} {measure}: {figures}"
        yield f"             {_seen(tests[0])}"
    if quiet:
        yield f"  {MARKS['no sign']} no sign {', '.join(quiet)}"


def _seen(test: Mapping[str, Any]) -> str:
    """Return what has changed: the median, or the share that changed most."""
    if "quantiles" in test:
        middle = test["quantiles"]["at"].index(0.5)
        old, new = (test["quantiles"][side][middle] for side in ("reference", "window"))
        return f"{test['words']}: median {old:.4g}, now {new:.4g}"
    if "rows" in test:
        row = max(test["rows"], key=lambda one: abs(one["difference"]))
        old, new = 100 * row["reference"], 100 * row["window"]
        return f"{test['words']}: {shown_name(row['name'])} {old:.1f} %, now {new:.1f} %"
    return str(test["words"])
