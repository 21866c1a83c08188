"""The parts of the page about how it ran: throughput and workers, and what was asked for."""

from collections.abc import Mapping, Sequence

from edge_infer.batch.chart import span, throughput_chart
from edge_infer.batch.page_parts import SHOWN, Result, more, number_of, shown
from edge_infer.batch.throughput import PAUSE_S, RESUMED_PAUSE_S
from edge_infer.html_page.parts import cell, table
from edge_infer.names import shown_name

__all__ = ["run_section", "throughput_section"]


def throughput_section(result: Result) -> str:
    """Render how fast it was, over time and by worker."""
    throughput = result["throughput"]
    if throughput is None:
        return ""
    caption = (
        f"Units a second over {span(throughput['worked_seconds'])} of work; a unit is an image or a study. "
        f"The dotted line is the whole run: {throughput['units_per_second']:,.1f}."
    )
    if throughput["pauses"]:
        longest = max(one["seconds"] for one in throughput["pauses"])
        number = number_of(len(throughput["pauses"]), "pause")
        caption += f" Dashed: {number} cut out, the longest {span(longest)}."
    caption += (
        f" Time in which nobody worked is a pause from {PAUSE_S:g} s on, and from {RESUMED_PAUSE_S:g} s on where a "
        "partition was interrupted; what is shorter counts as work."
    )
    drawn = (
        f"<figure>{throughput_chart(throughput)}<figcaption>{cell(caption)}</figcaption></figure>"
    )
    busiest = sorted(result["workers"].items(), key=lambda one: -one[1]["units"])
    rows = [
        [
            shown(name),
            f"{one['partitions']:,.0f}",
            f"{one['units']:,.0f}",
            span(one["seconds"]),
            f"{one['units'] / one['seconds']:,.1f}" if one["seconds"] else "-",
        ]
        for name, one in busiest[:SHOWN]
    ]
    head = ["Worker", "Partitions", "Units", "Busy", "Units a second"]
    return drawn + table("Workers, the busiest first.", head, rows) + more(len(busiest), "worker")


def run_section(result: Result) -> str:
    """Render which bundle answered, what was asked for, and what was written."""
    rows = [
        ["model", cell(f"{shown_name(result['model'])}, {result['precision']}")],
        ["manifest", f"<code>{cell(result['manifest_sha256'])}</code>"],
        ["run", f"<code>{cell(result['run_id'])}</code>"],
        ["partitions", f"{result['partitions']:,} of {result['planned_partitions']:,}"],
        ["rows", f"{result['counts']['rows']:,}"],
    ]
    rows += [
        [f"files, {cell(ending)}", f"{size / 1e6:,.1f} MB"]
        for ending, size in sorted(result["size_bytes"].items())
    ]
    rows += [
        [cell(name.replace("_", " ")), said]
        for name, value in result["request"].items()
        if name != "manifest_sha256" and (said := "<br>".join(map(cell, _lines(value))))
    ]
    if result["left_out"]:
        rows.append(["left out", "<br>".join(shown(one) for one in result["left_out"])])
    return table("Bundle, request and output.", ["What", "Value"], rows)


def _lines(value: object) -> Sequence[str]:
    """Return a value of a request as lines; none for what was not given."""
    if isinstance(value, Mapping):
        return [shown_name(f"{name} {one}") for name, one in value.items()]
    if isinstance(value, list | tuple):
        more = [f"and {len(value) - SHOWN} more"] if len(value) > SHOWN else []
        return [*map(shown_name, value[:SHOWN]), *more]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [] if value is None else [shown_name(value)]
