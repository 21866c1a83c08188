"""The figures as rows of tables, for the terminal, the page and the documents; the first row of each is the head."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge_infer.names import counted, shown_name
from train.metrics.missed import missed_in
from train.metrics.text import aligned, percent
from train.trust.image_set import Kind

__all__ = [
    "KINDS",
    "Rows",
    "calibration_rows",
    "corruption_rows",
    "cost_rows",
    "coverage_rows",
    "decision_rows",
    "elsewhere_rows",
    "fitted_on",
    "heading",
    "selective_rows",
    "set_rows",
    "set_size_rows",
    "shuffled_line",
    "summary_rows",
    "trust_text",
]

Rows = list[tuple[str, ...]]
Result = Mapping[str, Any]

#: What each kind of set is, and what is wanted.
KINDS = {
    str(Kind.FAR): "Far: no head, or no scan. Every image should be abstained on",
    str(Kind.NEAR): "Near: a head, but another sequence or lesion. Abstaining is right, and harder",
    str(Kind.ELSEWHERE): (
        "Elsewhere: heads of the classes it knows, from other scanners. Abstaining is a cost here, not a success"
    ),
}

#: Names of the figures of decisions.
_DECISIONS = {
    "accepted": "accepted",
    "accuracy_among_accepted": "accuracy among accepted",
    "accuracy_among_accepted_by_patient": "accuracy among accepted, each patient counting the same",
    "accuracy": "accuracy of all, whatever was decided",
}
_LAST_DECISIONS = {
    "right_lost": "right answers lost",
    "wrong_and_accepted": "wrong and accepted, of all images",
}
_NONE = "-"


def trust_text(result: Result) -> str:
    """Render the result for the terminal."""
    part = result["part"]
    lines = [result["title"], f"  {heading(result)}", f"  {fitted_on(result)}"]
    for name, rows in (
        ("Prediction sets", coverage_rows(result)),
        ("Size of the sets", set_size_rows(part)),
        ("Decisions", decision_rows(part)),
        ("Answering only the surest", selective_rows(part)),
        ("Probabilities", calibration_rows(part)),
        ("Other images", set_rows(result)),
        ("Other scanners, classes known", elsewhere_rows(result)),
        ("Corrupted images: accepted", corruption_rows(result, "accepted")),
        ("Corrupted images: wrong and accepted", corruption_rows(result, "wrong_and_accepted")),
        ("Time an image", cost_rows(result)),
    ):
        if len(rows) > 1:
            lines += ["", f"  {name}", *aligned(rows)]
    return "\n".join([*lines, "", f"  {shuffled_line(result)}"])


def summary_rows(results: Sequence[Result]) -> Rows:
    """Return the figures by which bundles are compared, a column for each."""
    columns = [_summary(result) for result in results]
    head = ("", *(shown_name(result["title"]) for result in results))
    return [head, *((name, *(column[name] for column in columns)) for name in columns[0])]


def heading(result: Result) -> str:
    """Say what was measured on."""
    part = result["part"]
    return f"{counted(part['n'], 'image')} of {counted(part['groups'], 'patient group')}"


def fitted_on(result: Result) -> str:
    """Say where the bundle's thresholds come from."""
    trust = result["trust"]
    of = trust["fitted_on"]
    scope = "no scope check" if trust["scope"] is None else f"scope: {trust['scope']['method']}"
    return f"alpha {trust['alpha']:g}, sets fitted on {of['source']} ({of['way']}, n {of['n']}), {scope}"


def coverage_rows(result: Result) -> Rows:
    """Return how often the sets hold the true class, and what other divisions of the part would have shown."""
    part, splits = result["part"], result["part"]["resplits"]
    rows: Rows = [
        (
            "class",
            "coverage by image (95 % interval)",
            "n",
            "coverage by patient (95 % interval)",
            "groups",
            "halves, own thresholds: mean (5..95 %)",
            "halves, refitted: mean (5..95 %)",
            "too few groups to refit",
        )
    ]
    for name, its in part["coverage"].items():
        without = splits["too_few_groups"].get(name)
        rows.append(
            (
                name,
                percent(its["coverage"], 1),
                str(its["coverage"]["n"]),
                percent(its["coverage_by_patient"], 1),
                str(its["groups"]),
                _spread(splits["own"][name]),
                _spread(splits["refitted"][name]),
                _NONE if without is None else f"{100 * without:.0f} %",
            )
        )
    return rows


def set_size_rows(part: Result) -> Rows:
    """Return how large the sets are."""
    its = part["set_size"]
    mean = its["mean"]
    return [
        ("sets", "value (95 % interval)", "n"),
        ("mean size", f"{mean['value']:.3f} ({mean['low']:.2f}..{mean['high']:.2f})", _n(mean)),
        *(
            (f"{key} ({size})", percent(its[key], 1), _n(its[key]))
            for key, size in (("empty", "0"), ("single", "1"), ("several", "2 or more"))
        ),
    ]


def decision_rows(part: Result) -> Rows:
    """Return what the decisions keep and cost."""
    return [
        ("decisions", "value (95 % interval)", "n"),
        *(
            (name, percent(part["decisions"][key]), _n(part["decisions"][key]))
            for key, name in _decisions(part).items()
        ),
        ("reasons", _counts(part["reasons"]), str(part["n"])),
    ]


def selective_rows(part: Result) -> Rows:
    """Return the accuracy where only the surest images are answered, and AUGRC."""
    its = part["selective"]
    area = its["augrc"]
    return [
        ("answered", "accuracy (95 % interval)", "n"),
        *(
            (f"surest {100 * float(share):.0f} %", percent(figure), _n(figure))
            for share, figure in its["accuracy_at"].items()
        ),
        ("AUGRC (0 is best)", _number(area, 4), _n(area)),
    ]


def calibration_rows(part: Result) -> Rows:
    """Return calibration error and Brier score."""
    its = part["calibration"]
    return [
        ("probabilities", "value (95 % interval)", "n"),
        (f"ECE, {len(its['bins'])} bins of equal size", _number(its["ece"], 4), _n(its["ece"])),
        ("Brier score, 0..2", _number(its["brier"], 4), _n(its["brier"])),
    ]


def set_rows(result: Result) -> Rows:
    """Return what is done with each set, and with all of a kind."""
    rows: Rows = [
        (
            "set",
            "kind",
            "n (patients)",
            "AUROC of the score",
            "accepted where 95 % of the part are",
            "accepted by the bundle",
            "reasons",
            "answered among accepted",
        )
    ]
    for name, kind, its in _sets(result):
        rows.append(
            (
                name,
                kind,
                f"{its['n']} ({its['groups']})",
                _number(its["roc_auc"], 3),
                _percent(its["accepted_at_95"]),
                percent(its["accepted"], 1),
                _counts(its["reasons"] | ({"refused": its["refused"]} if its["refused"] else {})),
                _counts({name: n for name, n in its["labels"]["accepted"].items() if n}),
            )
        )
    return rows


def elsewhere_rows(result: Result) -> Rows:
    """Return decisions on sets whose classes are known: what another scanner costs."""
    decisions, (key, _) = _decisions(result["part"]), missed_in(result["part"]) or ("", "")
    missed = [f"{key}_among_accepted"] if key else []
    keys = ("accepted", "accuracy", "accuracy_among_accepted", *missed, "right_lost")
    rows: Rows = [("set", "kind", "n", *(decisions[key] for key in keys))]
    for name, kind, its in _sets(result):
        if its["decisions"] is not None:
            figures = its["decisions"]
            cells = (_with_n(figures[key]) for key in keys)
            rows.append((name, kind, _n(figures["accepted"]), *cells))
    return rows


def corruption_rows(result: Result, figure: str) -> Rows:
    """Return kinds of corruption against severities; only a head if none were measured."""
    cells = (result["corrupted"] or {"cells": []})["cells"]
    severities = range(1, max((cell["severity"] for cell in cells), default=0) + 1)
    rows: Rows = [("corruption", *(f"severity {severity}" for severity in severities))]
    kinds: dict[str, dict[int, str]] = {}
    for cell in cells:
        shown = kinds.setdefault(cell["kind"].replace("_", " "), {})
        shown[max(1, cell["severity"])] = _short(cell["figures"][figure])
    rows += [(kind, *(shown.get(it, "") for it in severities)) for kind, shown in kinds.items()]
    return rows


def cost_rows(result: Result) -> Rows:
    """Return the time that each check takes, and its share of the whole; only a head if it was not measured."""
    rows: Rows = [("step", "ms an image, median (95 % interval)", "of the whole", "n")]
    for name, its in (result["cost"] or {}).items():
        ms = its["ms"]
        rows.append(
            (
                name.replace("_", " "),
                f"{ms['value']:.3f} ({ms['low']:.3f}..{ms['high']:.3f})",
                f"{100 * its['of_whole']:.1f} %",
                _n(ms),
            )
        )
    return rows


def shuffled_line(result: Result) -> str:
    """Say what coverage is left with shuffled labels."""
    figure = result["part"]["shuffled_labels"]["all"]["coverage"]
    return f"Negative control: with shuffled labels the coverage is {percent(figure, 1)}, n {figure['n']}"


def _decisions(part: Result) -> dict[str, str]:
    """Return the names of the figures of decisions; what was missed is among them if there is a negative class."""
    key, words = missed_in(part) or ("", "")
    missed = {f"{key}_among_accepted": f"{words} among accepted", key: f"{words} of all"}
    return {**_DECISIONS, **(missed if key else {}), **_LAST_DECISIONS}


def _summary(result: Result) -> dict[str, str]:
    part, together = result["part"], result["sets"]["together"]
    decisions, coverage = part["decisions"], part["coverage"]
    names, (key, _) = _decisions(result["part"]), missed_in(result["part"]) or ("", "")
    asked = (
        "accepted",
        "accuracy_among_accepted",
        "accuracy_among_accepted_by_patient",
        *([f"{key}_among_accepted"] if key else []),
    )
    cells = {names[key]: _with_n(decisions[key]) for key in (*asked, "right_lost")}
    for name, its in coverage.items():
        cells[f"coverage {name}, by image"] = _with_n(its["coverage"])
        cells[f"coverage {name}, by patient"] = _with_n(its["coverage_by_patient"])
    cells |= {
        "mean set size": _number(part["set_size"]["mean"], 3),
        "ECE": _number(part["calibration"]["ece"], 4),
        "AUGRC": _number(part["selective"]["augrc"], 4),
    }
    for kind in KINDS:
        its = together.get(kind, {"roc_auc": None, "accepted_at_95": None, "accepted": None})
        cells |= {
            f"all {kind} sets: AUROC": _number(its["roc_auc"], 3),
            f"all {kind} sets: accepted where 95 % of the part are": _percent(
                its["accepted_at_95"]
            ),
            f"all {kind} sets: accepted by the bundle": _percent(its["accepted"]),
        }
    return cells


def _sets(result: Result) -> Iterator[tuple[str, str, Result]]:
    sets = result["sets"]
    for kind in KINDS:
        for its in sets["each"]:
            if its["kind"] == kind:
                yield shown_name(its["name"]), kind, its
        if kind in sets["together"]:
            its = sets["together"][kind]
            yield f"all {its['sets']} {kind} sets", kind, its


def _n(figure: Result) -> str:
    return str(figure["n"])


def _number(figure: Result | None, digits: int) -> str:
    if figure is None or figure["value"] is None:
        return _NONE
    value, low, high = (f"{figure[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low}..{high})"


def _percent(figure: Result | None) -> str:
    return _NONE if figure is None else percent(figure, 1)


def _with_n(figure: Result) -> str:
    return _NONE if figure["value"] is None else f"{percent(figure, 1)}, n {figure['n']}"


def _short(figure: Result) -> str:
    if figure["value"] is None:
        return _NONE
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.0f}..{high:.0f})"


def _spread(its: Result) -> str:
    if its["mean"] is None:
        return _NONE
    return f"{100 * its['mean']:.1f} % ({100 * its['low']:.1f}..{100 * its['high']:.1f})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or _NONE
