"""The sections of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from edge_infer.drift.charts import boxes, share_bars
from edge_infer.drift.limits import LIMIT_WORDS
from edge_infer.drift.words import MARKS, chance_words, figure_words, limit_lines, measures_of
from edge_infer.html_page.parts import cell, table
from edge_infer.names import shown_name

__all__ = ["group_section", "limits_section", "notes_section"]

_WORST = ("drift", "moved", "no sign")
_CLASSES = {"drift": "drift", "moved": "moved", "no sign": "held"}
_MOST_ROWS = 12

Test = Mapping[str, Any]


def group_section(group: Mapping[str, Any]) -> str:
    """Render all tests of a group, the worst first."""
    measures = sorted(
        measures_of(group).values(), key=lambda tests: _WORST.index(_worst(tests)["verdict"])
    )
    of_values = [tests for tests in measures if "quantiles" in tests[0]]
    others = [tests[0] for tests in measures if "quantiles" not in tests[0]]
    parts = [_key()]
    if of_values:
        parts.append(
            table(
                "Values of each image; a box is the middle half, its line 5 % to 95 %.",
                ["Measure", "Verdict", "Before and now", "How far", "Chance, of all tests"],
                [_values_row(tests) for tests in of_values],
            )
        )
    if others:
        parts.append(
            table(
                "Shares of the answers, and whether a classifier can tell the embeddings apart.",
                ["Measure", "Verdict", "Before and now", "How far", "Chance, of all tests"],
                [_share_row(test) for test in others],
            )
        )
    return "".join(parts)


def limits_section(result: Mapping[str, Any]) -> str:
    """Render the limits."""
    rows = [
        [f"<code>{cell(name)}</code>", f"{most:g}", cell(LIMIT_WORDS[name])]
        for name, most in result["limits"].items()
    ]
    rows += [
        [f"<code>{cell(name)}</code>", "off", cell(words)]
        for name, words in LIMIT_WORDS.items()
        if name not in result["limits"]
    ]
    return table(
        "Drift is what is more than chance and beyond its limit; moved, what is more than chance and within it.",
        ["Limit", "At most", "Of"],
        rows,
    )


def notes_section(result: Mapping[str, Any]) -> str:
    """Render what is not tested, and what to know; nothing where there is nothing to say."""
    items = "".join(f"<li>{cell(line)}.</li>" for line in limit_lines(result))
    return f"<ul>{items}</ul>" if items else ""


def _key() -> str:
    return '<p><span class="key old"></span>before<span class="key new"></span>now</p>'


def _values_row(tests: Sequence[Test]) -> list[str]:
    worst = _worst(tests)
    middle = tests[0]["quantiles"]["at"].index(0.5)
    old, new = (tests[0]["quantiles"][side][middle] for side in ("reference", "window"))
    return [
        f"{cell(tests[0]['measure'])}<br><small>{cell(tests[0]['words'])}</small>",
        _mark(worst),
        f"{boxes(tests[0]['quantiles'])}<small>median {old:.4g}, now {new:.4g}</small>",
        "<br>".join(f'<span class="figure">{cell(figure_words(test))}</span>' for test in tests),
        "<br>".join(f'<span class="figure">{cell(chance_words(test))}</span>' for test in tests),
    ]


def _share_row(test: Test) -> list[str]:
    changed = sorted(test.get("rows", ()), key=lambda row: -abs(row["difference"]))
    shown = "<br>".join(
        f"{share_bars(row['reference'], row['window'])}{cell(shown_name(row['name']))} "
        f"{100 * row['reference']:.1f} %, now {100 * row['window']:.1f} %"
        for row in changed[:_MOST_ROWS]
    )
    more = len(changed) - _MOST_ROWS
    return [
        f"{cell(test['measure'])}<br><small>{cell(test['words'])}</small>",
        _mark(test),
        (shown or "-") + (f"<br>and {more} more" if more > 0 else ""),
        cell(figure_words(test)),
        cell(chance_words(test)),
    ]


def _worst(tests: Sequence[Test]) -> Test:
    return min(tests, key=lambda test: _WORST.index(test["verdict"]))


def _mark(test: Test) -> str:
    verdict = test["verdict"]
    return f'<span class="mark {_CLASSES[verdict]}">{MARKS[verdict]} {verdict}</span>'
