"""A result as one self-contained HTML file."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.cells import QUALITY_HEADINGS, TIMING_HEADINGS, quality_cells, timing_cells
from benchmarks.comparison import Result, int8_slower, points, rows
from benchmarks.promises import verdicts
from benchmarks.text_table import NOTES, clean_line

__all__ = ["render_page"]

_HERE = Path(__file__).resolve().parent


def render_page(result: Result, plot: Path | None) -> str:
    """Render the page.

    Args:
        result: As returned by ``benchmarks.run.measure``.
        plot: The plot as PNG, if there is one.
    """
    # The style sheet is the training report's.
    loader = FileSystemLoader([_HERE, _HERE.parent / "train" / "report"])
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = next(iter(result["threads"]), "")
    timed = result["threads"][first]["engines"] if first else {}
    return environment.get_template("page.html.j2").render(
        result=result,
        clean_line=clean_line(result),
        slower=int8_slower(result),
        plot=_data_uri(plot) if plot else "",
        alt=_alternative(result),
        tables={
            threads: [timing_cells(row) for row in rows(result, threads)]
            for threads in result["threads"]
        },
        headings=TIMING_HEADINGS,
        quality=[quality_cells(row) for row in rows(result, first)] if first else [],
        quality_headings=QUALITY_HEADINGS,
        notes=NOTES,
        gmacs=sum(result["model"]["macs"].values()) / 1e9,
        cold=result["cold_start"],
        verdicts=verdicts(result),
        versions={
            name: ", ".join(f"{key} {value}" for key, value in it["versions"].items() if value)
            for name, it in timed.items()
            if "versions" in it
        },
    )


def _data_uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _alternative(result: Result) -> str:
    said = []
    for threads in result["threads"]:
        placed = sorted(points(result, threads).items(), key=lambda item: item[1])
        listed = "; ".join(
            f"{name} {ms:.1f} ms, {100 * share:.2f} %" for name, (ms, share) in placed
        )
        said.append(f"At {threads} thread(s): {listed}.")
    return "Median latency against accuracy on the test part. " + " ".join(said)
