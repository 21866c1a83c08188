"""``brain-train report``: one HTML file about training runs."""

from functools import partial
from pathlib import Path

import click

from edge_infer.console import NamedPath, progress_bar, shown_to_user, typed_command
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import data_options, given_samples

__all__ = ["report"]

_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)


@click.command()
@click.argument("runs", type=_Folder, metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--output",
    type=_Folder,
    required=True,
    help="New folder, or that of an older report: gets report.html, summary.json and images.",
)
@click.option(
    "--bundle",
    "bundles",
    type=_Folder,
    multiple=True,
    help="Bundle exported from one of the runs, for sizes and agreement; may be repeated.",
)
@partial(data_options, required=False)
def report(
    runs: tuple[Path, ...],
    output: Path,
    bundles: tuple[Path, ...],
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    cache: Path,
) -> None:
    """Write one HTML file about finished runs: figures, curves, test images, leaks, limits.

    It needs no network and no server. Give the data the runs were trained on, or the parts that
    need it are left out.

    \b
    Example:
      brain-train report runs/cvt13-cvt13-cpu --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --bundle bundles/cvt13-int8 --output runs/report
    """
    with shown_to_user():
        if data is None and (manifest or dataset):
            raise click.UsageError(
                "--manifest and --dataset say what to take of --data: give it too"
            )
        from datetime import date

        from train.report import bundles_of_runs, data_facts, read_runs, write_report

        facts = read_runs(runs)
        exported = bundles_of_runs(bundles, facts)
        of_data = None
        if data is not None:
            samples = given_samples(data, manifest, dataset)
            with progress_bar("Looking for leaks") as progress:
                of_data = data_facts(
                    dataset or data.resolve().name, samples, cache, progress=progress
                )
        with progress_bar("Drawing") as progress:
            page = write_report(
                output,
                facts,
                exported,
                of_data,
                command=typed_command("brain-train"),
                made_on=date.today().isoformat(),
                progress=progress,
            )
        click.echo(f"report: {page}")
        click.echo(RESEARCH_USE_ONLY)
