"""The comparison as text: the verdict first, then the limits, then what changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge_infer.comparison.words import (
    bundle_rows,
    corrections,
    limit_figure,
    limit_rule,
    limit_words,
    number,
    open_limits,
    percent,
    points,
    said,
    title,
)
from edge_infer.names import counted, shown_name

__all__ = ["text_of"]

_SHOWN_CASES = 10


def text_of(result: Mapping[str, Any]) -> str:
    """Render a result for people, ending with a line end."""
    lines = [
        f"{_title(result)}",
        "",
        *_limits(result),
        "",
        *_bundles(result),
        "",
        *_data(result),
        *_labels(result),
        *_decisions(result),
        *_shift(result),
        *_truth(result),
        *_series(result),
        *_cost(result),
        *_cases(result),
        str(result["research_use_only"]),
    ]
    return "\n".join(lines) + "\n"


def _title(result: Mapping[str, Any]) -> str:
    beside = open_limits(result)
    return title(result) + (f" (not judged: {', '.join(beside)})" if beside else "")


def _limits(result: Mapping[str, Any]) -> Iterator[str]:
    yield "Limits"
    for one in result["limits"]:
        stated = ", stated" if one["stated"] else ""
        yield (
            f"  {one['verdict']:<10}  {one['name']}: {limit_words(one, result['negative_label'])}; {limit_rule(one)}"
            f"{stated}"
        )
        for row in one["rows"]:
            if row["value"] is not None:
                of = f"{shown_name(row['of'])}: " if row["of"] else ""
                other = "" if row["verdict"] == one["verdict"] else f"  [{row['verdict']}]"
                yield f"{'':<14}{of}{limit_figure(one, row)}{other}"
        if one["why"]:
            yield f"{'':<14}{one['why']}"


def _bundles(result: Mapping[str, Any]) -> Iterator[str]:
    yield "Bundles, as their manifests say"
    for name, old, new in bundle_rows(result["bundles"]):
        if old == new:
            yield f"  {name}: {old} (both)"
        else:
            yield f"  {name}:"
            yield f"    old  {old}"
            yield f"    new  {new}"


def _data(result: Mapping[str, Any]) -> Iterator[str]:
    data, failures = result["data"], result["failures"]
    yield (
        f"Images: {data['answered_by_both']} of {data['asked']} answered by both; "
        f"{counted(data['groups'], 'independent group')}"
    )
    labels = {"folders": "by their folders", "table": "by the table"}.get(data["labels_from"] or "")
    yield f"  classes known: {data['labelled']} {labels}" if labels else "  classes known: none"
    for side in ("old", "new"):
        if failures[side]:
            yield f"  without an answer of the {side} bundle: {_counts(failures[side])}"
    if data["refused"]:
        yield f"  files of scans that are not read: {_counts(data['refused'])}"
    if data["end_slices"]:
        yield f"  {counted(data['end_slices'], 'end slice')} not asked"
    if data["left_out"]:
        yield f"  left out: {data['left_out']}"


def _labels(result: Mapping[str, Any]) -> Iterator[str]:
    flips, names = result["flips"], [shown_name(label) for label in result["labels"]]
    yield ""
    yield f"Labels changed: {percent(flips['all'])}; among answers that both accept: {percent(flips['accepted'])}"
    if flips["truth"] is not None:
        yield (
            f"  of known class: {corrections(flips['truth'])}; among answers that both accept: "
            f"{corrections(flips['truth_accepted'])}"
        )
    yield "  old in rows, new in columns; in brackets among answers that both accept"
    cells = [
        [f"{n} ({accepted})" for n, accepted in zip(row, accepted_row, strict=True)]
        for row, accepted_row in zip(flips["matrix"], flips["matrix_accepted"], strict=True)
    ]
    yield from _table(
        [["", *names, "changed"]]
        + [
            [name, *row, percent(flips["per_class"][label])]
            for name, label, row in zip(names, result["labels"], cells, strict=True)
        ]
    )
    negative = flips["negative"]
    if negative is not None:
        label = shown_name(negative["label"])
        for words, key in (
            (f"another class -> {label}", "to"),
            (f"{label} -> another class", "from"),
        ):
            figure, accepted = negative[f"{key}_negative"], negative[f"{key}_negative_accepted"]
            yield f"  {words}: {percent(figure)}; accepted by both: {percent(accepted)}"
            if negative[f"{key}_negative_truth"]:
                yield f"    really: {_counts(negative[f'{key}_negative_truth'])}"


def _decisions(result: Mapping[str, Any]) -> Iterator[str]:
    decisions = result["decisions"]
    yield ""
    yield f"Accepted: old {percent(decisions['accepted_old'])}; new {percent(decisions['accepted_new'])}"
    yield f"  no longer accepted: {percent(decisions['lost'])}{_because(decisions['lost_reasons'])}"
    yield f"  newly accepted: {percent(decisions['gained'])}{_because(decisions['gained_reasons'])}"
    scope = decisions["scope"]
    for side in ("old", "new"):
        if not scope[f"checked_{side}"]:
            yield f"  the {side} bundle has no scope check"
    yield f"  newly out of scope: {percent(scope['newly_outside'])}; no longer: {percent(scope['newly_inside'])}"


def _shift(result: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "Probabilities, absolute difference"
    shift = result["shift"]
    each = [
        ("largest of an image", shift),
        *((shown_name(k), v) for k, v in shift["per_class"].items()),
    ]
    yield from _table(
        [["", "mean", "p95", "p99", "largest", "with its sign"]]
        + [
            [
                name,
                *(number(one[key], 3) for key in ("mean", "p95", "p99")),
                f"{one['largest']:.3f}",
                number(one["signed"], 3) if "signed" in one else "",
            ]
            for name, one in each
        ]
    )


def _truth(result: Mapping[str, Any]) -> Iterator[str]:
    truth = result["truth"]
    if truth is None:
        return
    yield ""
    yield "Accuracy; p is McNemar's, exact"
    rows = [["", "old", "new", "lost", "only old : only new right", "p"]]
    for name, one in truth["accuracy"].items():
        rows.append(
            [
                shown_name(name),
                percent(one["old"]),
                percent(one["new"]),
                points(one["drop"]),
                f"{one['only_old_right']} : {one['only_new_right']}",
                f"{one['mcnemar_p']:.3g}",
            ]
        )
    accepted = truth["accepted"]
    rows.append(
        ["accepted answers", percent(accepted["old"]), percent(accepted["new"]), "", "", ""]
    )
    yield from _table(rows)
    yield "Calibration"
    calibration = truth["calibration"]
    rows = [["", "old", "new", "rise"]]
    for key, name in (("ece", "ECE-15"), ("nll", "NLL"), ("brier", "Brier score")):
        one = calibration[key]
        rows.append([name, *(number(one[side]) for side in ("old", "new", "rise"))])
    noise = calibration["ece"]["noise"]
    rows.append(["  ECE of chance", f"{noise['old']:.4f}", f"{noise['new']:.4f}", ""])
    yield from _table(rows)


def _series(result: Mapping[str, Any]) -> Iterator[str]:
    series = result["series"]
    if series is None:
        return
    yield ""
    yield f"Series: finding changed {percent(series['changed'])}; evidence lost {percent(series['evidence_lost'])}"
    for one in series["findings"]:
        yield f"  {one['old']} -> {one['new']}: {one['count']}"


def _cost(result: Mapping[str, Any]) -> Iterator[str]:
    cost = result["cost"]
    if cost is None:
        return
    yield ""
    machine = result["machine"]
    yield f"Time and memory on {machine['cpu']}, {machine['usable_cores']} cores, in turn"
    rows = [["", "old", "new", "new : old"]]
    for part, name in (("inference_ms", "graph"), ("answer_ms", "whole answer")):
        for key, one in cost.get(part, {}).items():
            rows.append(
                [
                    f"{name}, {key}",
                    number(one["old"], 1, " ms"),
                    number(one["new"], 1, " ms"),
                    number(one["ratio"], 2),
                ]
            )
    for part, name, unit in (
        ("load_ms", "load and check", " ms"),
        ("peak_mb", "peak memory", " MB"),
    ):
        if part in cost:
            one = cost[part]
            rows.append(
                [
                    name,
                    number(one["old"], 0, unit),
                    number(one["new"], 0, unit),
                    number(one["ratio"], 2),
                ]
            )
    yield from _table(rows)


def _cases(result: Mapping[str, Any]) -> Iterator[str]:
    changed = result["changed"]
    yield ""
    yield f"Changed label or decision: {counted(len(changed), 'image')}"
    for one in changed[:_SHOWN_CASES]:
        truth = f" (really {shown_name(one['truth'])})" if one["truth"] else ""
        yield f"  {shown_name(one['name'])}{truth}: {said(one['old'])} -> {said(one['new'])}"
    if len(changed) > _SHOWN_CASES:
        yield f"  and {len(changed) - _SHOWN_CASES} more (--json, --report)"
    yield ""


def _because(reasons: Mapping[str, int]) -> str:
    return f" ({_counts(reasons)})" if reasons else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{shown_name(name)} {count}" for name, count in counts.items())


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
