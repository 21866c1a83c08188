"""A result as text for the terminal."""

from collections.abc import Sequence

from benchmarks.cells import (
    NONE,
    QUALITY_HEADINGS,
    TIMING_HEADINGS,
    quality_cells,
    timing_cells,
)
from benchmarks.comparison import Result, int8_slower, rows
from benchmarks.promises import verdicts
from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["NOTES", "aligned", "clean_line", "text_table"]

#: What the columns mean, for the terminal and the page.
NOTES = (
    "One image at a time, model only; engines in turn, reversing the order each round.",
    (
        "p50 with a bootstrap interval over rounds; file to JSON is a p50 too. "
        "p90 and p99 are MLPerf's early-stopping bounds (99 % confidence); "
        "~ marks the observed percentile if there were too few queries for a bound (64 for p90, 662 for p99)."
    ),
    (
        "times torch: ratio of medians in the same rounds against PyTorch eager FP32. "
        "of peak: the plain export's work at the machine's best matrix product of that precision, over the p50."
    ),
    (
        "agrees: images with the same class as PyTorch FP32. flips: tumours it named correctly that become no_tumor. "
        "memory: the process's peak after one scan. install: the peer's environment."
    ),
)


def text_table(result: Result) -> str:
    """Render all of a result."""
    model = result["model"]
    size = model["image_size"]
    parts = [
        f"{model['name']} at {size['height']} x {size['width']}, {result['environment']['cpu']}, {result['made_on']}",
        clean_line(result),
    ]
    for threads in result["threads"]:
        table = [TIMING_HEADINGS, *(timing_cells(row) for row in rows(result, threads))]
        parts.append(f"{threads} thread(s)\n{aligned(table)}")
    first = next(iter(result["threads"]))
    parts.append(aligned([QUALITY_HEADINGS, *map(quality_cells, rows(result, first))]))
    cold = [("new process to first answer", "ms", "memory MB")]
    for name, found in result["cold_start"].items():
        if "error" in found:
            cold.append((name, f"missing: {found['error']}", ""))
        else:
            times = f"{found['p50_ms']:.0f} (min {found['min_ms']:.0f}, n {found['n']})"
            memory = found["peak_memory_bytes"]
            cold.append((name, times, f"{memory / 1e6:.0f}" if memory else NONE))
    if len(cold) > 1:
        parts.append(aligned(cold))
    judged = [("promise", "reach", "measured", "")]
    judged += [
        (
            it.what,
            it.reach,
            it.found or NONE,
            {None: "not measured", True: "reached", False: "MISSED"}[it.reached],
        )
        for it in verdicts(result)
    ]
    if len(judged) > 1:
        parts.append(aligned(judged))
    parts += [f"warning: {line}" for line in int8_slower(result)]
    return "\n\n".join([*parts, "\n".join(NOTES), RESEARCH_USE_ONLY])


def clean_line(result: Result) -> str:
    """Say whether anything else used the machine."""
    if result["clean"]:
        return "a clean run: nothing else used the machine"
    return f"NOT A CLEAN RUN: {'; '.join(result['unclean_reasons'])}"


def aligned(table: Sequence[Sequence[str]]) -> str:
    """Pad the cells of each column to one width."""
    # A missing engine's reason may be longer than its column.
    widths = [
        max(len(row[column]) for row in table if not row[1].startswith("missing") or column == 0)
        for column in range(len(table[0]))
    ]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)
