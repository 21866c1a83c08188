"""The parts of the page about answers: by class, of series, what has none, by plane and device."""

from collections.abc import Iterator, Mapping

from edge_infer.batch.page_parts import Result, by_decision, more, number_of, percent, shown
from edge_infer.errors import BrainError
from edge_infer.html_page.parts import cell, table
from edge_infer.names import shown_name

__all__ = ["answers_section", "failures_section", "origins_section", "series_section"]


def answers_section(result: Result) -> str:
    """Render answers by label and decision, and why they are not accepted."""
    labels = result["counts"]["labels"]
    if not labels:
        return "<p>No image and no slice has an answer.</p>"
    known = [label for label in result["labels"] if label in labels]
    order = [*known, *(label for label in labels if label not in known)]
    rows = by_decision({label: labels[label] for label in order})
    caption = (
        "Answers for images and slices by the most probable class. Bars: accepted, then not accepted; the longest is "
        "full."
    )
    drawn = table(caption, ["Class", "Answers", "Accepted", "Not accepted", "Share"], rows)
    return drawn + _reasons(result["counts"]["reasons"], "Why answers are not accepted")


def series_section(result: Result) -> str:
    """Render what the rule says of series; empty where there are none."""
    findings = result["counts"]["findings"]
    if not findings:
        return ""
    total = sum(findings.values())
    rows = [
        [f"<code>{shown(name or 'none')}</code>", f"{count:,}", percent(count, total)]
        for name, count in _descending(findings)
    ]
    drawn = table(
        f"{total:,} series by what the rule says, the most frequent first.",
        ["Finding", "Series", "Share"],
        rows,
    )
    return drawn + _reasons(result["counts"]["series_reasons"], "Why series abstain")


def failures_section(result: Result) -> str:
    """Render what has no answer, by code, with the first names."""
    counts = result["counts"]
    parts = []
    for key, caption in (
        ("failures", "Without an answer, by code, the most frequent first."),
        ("refused", "Files of scans that are intact and not for the model; no failures."),
    ):
        ordered = sorted(counts[key].items(), key=lambda one: (-one[1]["count"], one[0]))
        rows = [
            [
                f"<code>{shown(code)}</code>",
                f"{one['count']:,}",
                cell(_meanings().get(code, "")),
                "<br>".join(cell(_place(*example)) for example in one["examples"]),
            ]
            for code, one in ordered
        ]
        if rows:
            parts.append(table(caption, ["Code", "Count", "Meaning", "The first of them"], rows))
    not_asked = counts["states"].get("slice", {}).get("not_asked", 0)
    if not_asked:
        parts.append(
            f"<p>{number_of(not_asked, 'end slice')} not asked: too little of the head.</p>"
        )
    return "".join(parts) or "<p>Everything has an answer.</p>"


def origins_section(result: Result) -> str:
    """Render answers by plane and by device, where headers say them."""
    parts = []
    for key, name in (("planes", "Plane"), ("devices", "Device")):
        found = result["counts"][key]
        if set(found) <= {""}:
            continue
        ordered = sorted(found.items(), key=lambda one: -sum(one[1].values()))
        head = [name, "Answers", "Accepted", "Not accepted", "Share"]
        rows = by_decision(dict(ordered))
        parts.append(
            table(f"Answers by {name.lower()}, the most frequent first.", head, rows)
            + more(len(ordered), key[:-1])
        )
    return "".join(parts) or "<p>No header says a plane or a device.</p>"


def _reasons(reasons: Mapping[str, int], caption: str) -> str:
    rows = [[f"<code>{shown(name)}</code>", f"{count:,}"] for name, count in _descending(reasons)]
    return (
        table(
            f"{caption}, the most frequent first; there may be several.", ["Reason", "Count"], rows
        )
        if rows
        else ""
    )


def _descending(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _place(source: str, member: str | None) -> str:
    return shown_name(source if member is None else f"{source}/{member}")


def _meanings() -> dict[str, str]:
    return {error.code: (error.__doc__ or "").split("\n")[0] for error in _errors(BrainError)}


def _errors(base: type[BrainError]) -> Iterator[type[BrainError]]:
    for error in base.__subclasses__():
        yield from _errors(error)
        yield error
