"""``brain-train folds``: manifests of k folds, and what their evaluations come to together."""

import json
from pathlib import Path

import click

from edge_infer.console import FiniteRange, NamedPath, progress_bar, shown_to_user
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import data_options, given_samples

__all__ = ["folds"]

_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)
_File = NamedPath(path_type=Path, dir_okay=False, readable=False)


@click.group()
def folds() -> None:
    """Test every patient once: divide k times, and sum up what was measured."""


@folds.command()
@data_options
@click.option("--output", type=_Folder, required=True, help="Gets fold-1.csv, fold-2.csv, ...")
@click.option("--folds", "count", type=click.IntRange(2, 20), default=5, show_default=True)
@click.option(
    "--val",
    type=FiniteRange(0.01, 0.5),
    default=0.1,
    show_default=True,
    help="Share for validation of what is not test.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
def split(
    data: Path,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    output: Path,
    count: int,
    val: float,
    seed: int,
) -> None:
    """Write a manifest for each fold, by patient and copy group, each class in even shares.

    \b
    Example:
      brain-train folds split --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --output runs/folds
      brain-train --model cvt13 --data DATA --manifest runs/folds/fold-1.csv --output runs/fold-1
    """
    with shown_to_user():
        from edge_infer.errors import CannotWrite
        from train.data.manifest_csv import write_manifest
        from train.splits.division_text import class_table
        from train.splits.folds import folds_by_group

        samples = given_samples(data, manifest, dataset)
        with progress_bar("Comparing") as progress:
            divided = folds_by_group(
                samples, folds=count, val=val, seed=seed, cache=cache, progress=progress
            )
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"{output}: cannot be made ({error.strerror})") from error
        former = {sample.name: sample.split for sample in samples}
        paths = [output / f"fold-{number}.csv" for number in range(1, count + 1)]
        for path, fold in zip(paths, divided, strict=True):
            write_manifest(path, fold, official=former)
        for path, fold in zip(paths, divided, strict=True):
            click.echo(click.format_filename(path))
            click.echo(class_table(fold), nl=False)
        click.echo(RESEARCH_USE_ONLY)


@folds.command()
@click.argument("evaluations", type=_Folder, metavar="EVALUATION...", nargs=-1, required=True)
@click.option("--json", "json_file", type=_File, help="Write the figures as JSON.")
def summary(evaluations: tuple[Path, ...], json_file: Path | None) -> None:
    """Sum up the evaluations of all folds: mean, spread, and all images together.

    \b
    Example:
      brain-train folds summary runs/fold-*/evaluation/test --json runs/folds/summary.json
    """
    with shown_to_user():
        from edge_infer.atomic import write_bytes_atomically
        from train.evaluation.fold_summary import fold_summary, fold_summary_text

        figures = fold_summary(evaluations)
        if json_file is not None:
            text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
            write_bytes_atomically(json_file, text.encode())
        click.echo(fold_summary_text(figures))
        click.echo(RESEARCH_USE_ONLY)
