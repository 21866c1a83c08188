"""The parts of the page: limits, labels, decisions, probabilities, accuracy, series, cost, bundles, changed images."""

import base64
from collections.abc import Mapping
from typing import Any

from edge_infer.comparison.charts import positive_scatter, reliability, scatter, shift_histogram
from edge_infer.comparison.comparing import Comparison
from edge_infer.comparison.matrix import matrix
from edge_infer.comparison.words import (
    MARKS,
    bundle_rows,
    corrections,
    limit_figure,
    limit_rule,
    limit_words,
    number,
    percent,
    points,
    said,
)
from edge_infer.html_page.parts import cell, table
from edge_infer.names import shown_name

__all__ = [
    "CLASSES",
    "Result",
    "bundles_section",
    "cases_section",
    "cost_section",
    "decisions_section",
    "labels_section",
    "limits_section",
    "series_section",
    "shift_section",
    "truth_section",
]

_SHOWN_CASES = 200
#: Of a verdict, in the style sheet.
CLASSES = {"held": "held", "exceeded": "exceeded", "too few": "few", "not judged": "open"}

Result = Mapping[str, Any]


def limits_section(result: Result) -> str:
    """Render the limits, with their verdicts."""
    rows = []
    for one in result["limits"]:
        figures = [
            (f"{cell(shown_name(row['of']))}: " if row["of"] else "")
            + cell(limit_figure(one, row))
            + ("" if row["verdict"] == one["verdict"] else f" {_mark(row['verdict'])}")
            for row in one["rows"]
        ]
        if one["why"]:
            figures.append(f"<small>{cell(one['why'])}</small>")
        stated = " <small>(stated)</small>" if one["stated"] else ""
        words = cell(limit_words(one, result["negative_label"]))
        rows.append(
            [
                f"<code>{one['name']}</code>",
                _mark(one["verdict"]),
                words,
                cell(limit_rule(one)) + stated,
                "<br>".join(figures),
            ]
        )
    caption = (
        "A limit is held if the figure is not above it and the 95 % interval shows that there are enough images to "
        "say so."
    )
    return table(caption, ["Limit", "Verdict", "What", "Allowed", "Found"], rows)


def _mark(verdict: str) -> str:
    return f'<span class="mark {CLASSES[verdict]}">{MARKS[verdict]} {cell(verdict)}</span>'


def labels_section(result: Result) -> str:
    """Render the matrix of labels, and the changes by direction."""
    flips = result["flips"]
    names = [shown_name(label) for label in result["labels"]]
    rows = [["all", cell(percent(flips["all"])), cell(percent(flips["accepted"]))]]
    if flips["truth"] is not None:
        both = (cell(corrections(flips[key])) for key in ("truth", "truth_accepted"))
        rows.append(["of known class", *both])
    rows += [
        [
            f"{cell(shown_name(one['from']))} becomes {cell(shown_name(one['to']))}",
            cell(percent(one["all"])),
            cell(percent(one["accepted"])),
        ]
        for one in flips["directions"]
    ]
    negative = flips["negative"]
    if negative is not None:
        label = cell(shown_name(negative["label"]))
        for words, key in (
            (f"any other becomes {label}", "to"),
            (f"{label} becomes any other", "from"),
        ):
            truth = _counts(negative[f"{key}_negative_truth"])
            really = f"<br><small>really: {truth}</small>" if truth else ""
            rows.append(
                [
                    words,
                    cell(percent(negative[f"{key}_negative"])) + really,
                    cell(percent(negative[f"{key}_negative_accepted"])),
                ]
            )
    caption = "Labels that changed, of the images that the old bundle gave the first label. 95 % interval: by group."
    drawn = matrix(names, flips["matrix"], flips["matrix_accepted"])
    return drawn + table(caption, ["Change", "All answers", "Accepted by both"], rows)


def decisions_section(result: Result) -> str:
    """Render what is accepted and what is not."""
    decisions, scope = result["decisions"], result["decisions"]["scope"]
    rows = [
        ["accepted by the old bundle", cell(percent(decisions["accepted_old"])), ""],
        ["accepted by the new bundle", cell(percent(decisions["accepted_new"])), ""],
        [
            "no longer accepted",
            cell(percent(decisions["lost"])),
            _counts(decisions["lost_reasons"]),
        ],
        [
            "newly accepted",
            cell(percent(decisions["gained"])),
            _counts(decisions["gained_reasons"]),
        ],
        ["newly out of scope", cell(percent(scope["newly_outside"])), ""],
        ["no longer out of scope", cell(percent(scope["newly_inside"])), ""],
    ]
    without = [side for side in ("old", "new") if not scope[f"checked_{side}"]]
    note = "".join(f"<p>The {side} bundle has no scope check.</p>" for side in without)
    caption = "Decisions. An image may have several reasons."
    return table(caption, ["What", "Share", "Reasons"], rows) + note


def shift_section(comparison: Comparison) -> str:
    """Render how far probabilities moved."""
    shift = comparison.result["shift"]
    each = [
        ("largest of an image", shift),
        *((shown_name(name), one) for name, one in shift["per_class"].items()),
    ]
    rows = [
        [
            cell(name),
            *(number(one[key], 3) for key in ("mean", "p95", "p99")),
            f"{one['largest']:.3f}",
            number(one["signed"], 3) if "signed" in one else "",
        ]
        for name, one in each
    ]
    caption = "Absolute differences of probabilities; 95 % intervals by group."
    head = [
        "Probability",
        "Mean",
        "95th percentile",
        "99th percentile",
        "Largest",
        "Mean with its sign",
    ]
    figures = [
        (
            scatter(comparison.pairs),
            "Crosses changed their label. On the dashed line nothing changed.",
        ),
        (positive_scatter(comparison.pairs), "The same images: whether anything is there at all."),
        (shift_histogram(shift["histogram"]), "Images by the largest difference of a probability."),
    ]
    drawn = "".join(
        f"<figure>{drawing}<figcaption>{words}</figcaption></figure>"
        for drawing, words in figures
        if drawing
    )
    return f'<div class="pair">{drawn}</div>' + table(caption, head, rows)


def truth_section(result: Result) -> str:
    """Render accuracy and calibration; a sentence where no class is known."""
    truth = result["truth"]
    if truth is None:
        return (
            "<p>No classes are known: neither folders named as classes nor a table of labels.</p>"
        )
    rows = [
        [
            cell(shown_name(name)),
            cell(percent(one["old"])),
            cell(percent(one["new"])),
            cell(points(one["drop"])),
            f"{one['only_old_right']} : {one['only_new_right']}",
            f"{one['mcnemar_p']:.3g}",
        ]
        for name, one in truth["accuracy"].items()
    ]
    accepted = truth["accepted"]
    rows.append(
        [
            "accepted answers",
            cell(percent(accepted["old"])),
            cell(percent(accepted["new"])),
            "",
            "",
            "",
        ]
    )
    calibration = truth["calibration"]
    measures = [
        [name, *(number(calibration[key][side]) for side in ("old", "new", "rise"))]
        for key, name in (("ece", "ECE, 15 bins"), ("nll", "NLL"), ("brier", "Brier score"))
    ]
    noise = calibration["ece"]["noise"]
    measures.insert(1, ["ECE by chance", f"{noise['old']:.4f}", f"{noise['new']:.4f}", ""])
    return (
        table(
            "Accuracy, and of each class the share that is found. Lost: old minus new, paired. p: McNemar's, exact.",
            ["Images", "Old", "New", "Lost", "Only old : only new right", "p"],
            rows,
        )
        + f'<div class="pair"><figure>{reliability(calibration["bins"])}<figcaption>Reliability, in bins of equal '
        "size: old dashed with rings, new solid. On the straight line a probability of 90 % is right nine times of "
        "ten.</figcaption></figure><div>"
        + table(
            "Calibration. By chance: what a perfectly calibrated model would show on so few images.",
            ["Measure", "Old", "New", "Rise"],
            measures,
        )
        + "</div></div>"
    )


def series_section(result: Result) -> str:
    """Render the findings on series; empty without any."""
    series = result["series"]
    if series is None:
        return ""
    rows = [
        [
            cell(shown_name(one["name"])),
            str(one["slices"]),
            cell(_finding(one["old"], one["old_reasons"])),
            cell(_finding(one["new"], one["new_reasons"])),
        ]
        for one in series["each"]
    ]
    caption = f"Finding changed: {percent(series['changed'])}; evidence lost: {percent(series['evidence_lost'])}."
    return table(caption, ["Series", "Slices", "Old", "New"], rows)


def _finding(name: str, reasons: list[str]) -> str:
    words = name.replace("_", " ")
    return f"{words} ({', '.join(reasons)})" if reasons else words


def cost_section(result: Result) -> str:
    """Render time and memory."""
    cost = result["cost"]
    if cost is None:
        return "<p>Not measured: <code>--rounds 0</code>.</p>"
    rows = []
    for part, name in (("inference_ms", "the graph"), ("answer_ms", "from file to answer")):
        for key, one in cost.get(part, {}).items():
            times = (number(one[side], 1, " ms") for side in ("old", "new"))
            rows.append([f"{name}, {key}", *times, number(one["ratio"], 2)])
    for part, name, unit in (
        ("load_ms", "load and check", " ms"),
        ("peak_mb", "peak memory", " MB"),
    ):
        if part in cost:
            one = cost[part]
            both = (number(one[side], 0, unit) for side in ("old", "new"))
            rows.append([name, *both, number(one["ratio"], 2)])
    caption = (
        "Each bundle in a process of its own, in turn. Intervals of times: bootstrap of rounds; of loading and memory: "
        "the range over starts. Of a busy machine only the ratios mean anything."
    )
    return table(caption, ["What", "Old", "New", "New : old"], rows)


def bundles_section(result: Result) -> str:
    """Render what the manifests say."""
    rows = [[cell(name), cell(old), cell(new)] for name, old, new in bundle_rows(result["bundles"])]
    return table("Nothing here is measured anew.", ["Fact", "Old", "New"], rows)


def cases_section(comparison: Comparison) -> str:
    """Render the changed images, with small copies where the comparison kept them."""
    changed = comparison.result["changed"]
    failures = comparison.result["failures"]
    notes = "".join(
        f"<p>Without an answer of the {side} bundle: {_counts(failures[side])}.</p>"
        for side in ("old", "new")
        if failures[side]
    )
    if not changed:
        return f"<p>No label and no decision changed.</p>{notes}"
    rows = []
    for one in changed[:_SHOWN_CASES]:
        thumbnail = comparison.pairs.cases[one["row"]].thumbnail
        image = ""
        if thumbnail is not None:
            uri = base64.b64encode(thumbnail).decode()
            image = f'<img class="thumb" alt="" src="data:image/png;base64,{uri}">'
        rows.append(
            [
                image + cell(shown_name(one["name"])),
                cell(shown_name(one["truth"] or "not known")),
                cell(said(one["old"])),
                cell(said(one["new"])),
                f"{one['shift']:.3f}",
            ]
        )
    more = len(changed) - _SHOWN_CASES
    caption = "Changed label or decision, what matters most first, corrections last"
    caption += f"; {more} more are in the JSON." if more > 0 else "."
    head = ["Image", "Class", "Old", "New", "Largest difference"]
    return table(caption, head, rows) + notes


def _counts(counts: Mapping[str, int]) -> str:
    return cell(", ".join(f"{shown_name(name)} {count}" for name, count in counts.items()))
