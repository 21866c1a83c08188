"""``brain-train report``: one HTML file about training runs."""

from functools import partial
from pathlib import Path

import click

from edge_infer.console import Command, progress_bar, typed_command
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import FOLDER, class_choice, data_options, given_samples

__all__ = ["report"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("runs", type=FOLDER, metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for report.html, summary.json and plots: a new one, or that of an older report.",
)
@click.option(
    "--bundle",
    "bundles",
    type=FOLDER,
    multiple=True,
    help="Bundle exported from one of the runs: adds its size and its agreement with the checkpoint; may be repeated.",
)
@partial(data_options, required=False)
def report(
    runs: tuple[Path, ...],
    output: Path,
    bundles: tuple[Path, ...],
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    cache: Path,
) -> None:
    """Write one HTML file about finished runs.

    It holds figures, curves, test images, leaks and limits, and needs no network and no server.
    Without --data, the data set the runs were trained on, it has no test images and says
    nothing of leaks.

    \b
    Example:
      brain-train report runs/cvt13-cvt13-cpu --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --bundle bundles/cvt13-int8 --output runs/report
    """
    if data is None and (manifest or dataset or classes):
        raise click.UsageError(
            "--manifest, --dataset and --classes choose images of --data: give --data too"
        )
    from datetime import date

    from train.report import bundles_of_runs, data_facts, read_runs, write_report

    facts = read_runs(runs)
    exported = bundles_of_runs(bundles, facts)
    of_data = None
    if data is not None:
        choice = class_choice(classes, model=facts[0].checkpoint.classes)
        samples = given_samples(data, manifest, dataset, choice)
        with progress_bar("Looking for leaks") as progress:
            of_data = data_facts(dataset or data.resolve().name, samples, cache, progress=progress)
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
