"""Latency of bundles from file to answer, side by side, with the environment beside the figures."""

import json
from pathlib import Path

import click

from edge_infer.console import shown_to_user
from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["main"]


@click.command(epilog=RESEARCH_USE_ONLY)
@click.argument(
    "bundles", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--scan", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The picture."
)
@click.option("--rounds", type=click.IntRange(10), default=100, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Default: the usable cores.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all of it."
)
def main(
    bundles: tuple[Path, ...], scan: Path, rounds: int, threads: int | None, json_file: Path | None
) -> None:
    """Time bundles in turn on one scan: p50, p90, p99 and the speed-up over the first.

    \b
    Example:
      python -m benchmarks bundles/cvt13-fp32 bundles/cvt13-int8 --scan examples/synthetic_glioma_axial.png
    """
    with shown_to_user():
        from benchmarks.environment import environment
        from benchmarks.latency import measure, summarize
        from edge_infer.atomic import write_bytes_atomically
        from edge_infer.classifier import Classifier

        classifiers = {str(path): Classifier.load(path, num_threads=threads) for path in bundles}
        before = environment()
        calls = {name: (lambda it=it: it.predict(scan)) for name, it in classifiers.items()}
        summary = summarize(measure(calls, rounds=rounds))
        for name, row in summary.items():
            click.echo(
                f"{name}: p50 {row['p50_ms']:.1f} ms, p90 {row['p90_ms']:.1f}, p99 {row['p99_ms']:.1f}, "
                f"n {row['n']}, {row['speedup']:.2f}x"
            )
        cores = before["cores"] or 1
        if before["load_1min"] is not None and before["load_1min"] > 0.25 * cores:
            click.echo(
                f"warning: not a clean run, the load was {before['load_1min']:.1f} on {cores} cores",
                err=True,
            )
        if json_file is not None:
            result = {
                "environment": before,
                "scan": scan.name,
                "threads": threads,
                "latency": summary,
            }
            write_bytes_atomically(json_file, (json.dumps(result, indent=2) + "\n").encode())
        click.echo(RESEARCH_USE_ONLY)
