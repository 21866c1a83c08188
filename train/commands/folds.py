"""``brain-train folds``: write the manifests of k folds, and sum up their evaluations."""

import json
from pathlib import Path

import click

from edge_infer.console import FiniteRange, Group, progress_bar
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from train.commands.data_options import (
    FILE,
    FOLDER,
    class_choice,
    data_options,
    given_samples,
    negative_option,
)

__all__ = ["folds"]


@click.group(cls=Group, epilog=RESEARCH_USE_ONLY)
def folds() -> None:
    """Cross-validate: divide a data set, sum up evaluations.

    The data set is divided k times, so that every patient is tested once.

    \b
    Example:
      brain-train folds split --data DATA --output runs/folds
      brain-train --model cvt13 --data DATA --manifest runs/folds/fold-1.csv --output runs/fold-1
      brain-train folds summary runs/fold-*/evaluation/test
    """


@folds.command(epilog=RESEARCH_USE_ONLY)
@data_options
@negative_option
@click.option("--output", type=FOLDER, required=True, help="Folder for fold-1.csv, fold-2.csv, ...")
@click.option(
    "--folds",
    "count",
    type=click.IntRange(2, 20),
    default=5,
    show_default=True,
    help="Number of folds; each has its own test part.",
)
@click.option(
    "--val",
    type=FiniteRange(0.01, 0.5),
    default=0.1,
    show_default=True,
    help="Share of the images outside the test part that goes to validation.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed of the division.",
)
def split(
    data: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    negative: str | None,
    cache: Path,
    output: Path,
    count: int,
    val: float,
    seed: int,
) -> None:
    """Write a manifest for each fold.

    Patients and copy groups are never divided, and each class has the same share in every fold.

    \b
    Example:
      brain-train folds split --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --output runs/folds
      brain-train --model cvt13 --data DATA --manifest runs/folds/fold-1.csv --output runs/fold-1
    """
    from edge_infer.errors import CannotWrite
    from train.data.manifest_csv import write_manifest
    from train.splits.division_text import class_table
    from train.splits.folds import folds_by_group

    samples = given_samples(data, manifest, dataset, class_choice(classes, negative))
    with progress_bar("Comparing") as progress:
        divided = folds_by_group(
            samples, folds=count, val=val, seed=seed, cache=cache, progress=progress
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(output)}: cannot be created ({error.strerror})",
            hint="name another --output",
        ) from error
    former = {sample.name: sample.split for sample in samples}
    paths = [output / f"fold-{number}.csv" for number in range(1, count + 1)]
    for path, fold in zip(paths, divided, strict=True):
        write_manifest(path, fold, official=former)
    for path, fold in zip(paths, divided, strict=True):
        click.echo(click.format_filename(path))
        click.echo(class_table(fold), nl=False)
    click.echo(RESEARCH_USE_ONLY)


@folds.command(epilog=RESEARCH_USE_ONLY)
@click.argument("evaluations", type=FOLDER, metavar="EVALUATION...", nargs=-1, required=True)
@click.option("--json", "json_file", type=FILE, help="File to write the figures to, as JSON.")
def summary(evaluations: tuple[Path, ...], json_file: Path | None) -> None:
    """Sum up the evaluations of all folds.

    Gives the mean and spread over the folds, and the figures of all images together.

    EVALUATION is the folder of a fold's evaluation, one for each fold.

    \b
    Example:
      brain-train folds summary runs/fold-*/evaluation/test --json runs/folds/summary.json
    """
    from edge_infer.atomic import write_bytes_atomically
    from train.evaluation.fold_summary import fold_summary, fold_summary_text

    figures = fold_summary(evaluations)
    if json_file is not None:
        text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
        write_bytes_atomically(json_file, text.encode())
    click.echo(fold_summary_text(figures))
    click.echo(RESEARCH_USE_ONLY)
