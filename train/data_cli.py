"""brain-data: look at a data set, divide it, or draw a synthetic one."""

from pathlib import Path

import click

from edge_infer.console import progress_bar, shown_to_user
from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["main"]

_Folder = click.Path(path_type=Path, file_okay=False)
_File = click.Path(path_type=Path, dir_okay=False)
_Share = click.FloatRange(0, 0.9)


@click.group(epilog=RESEARCH_USE_ONLY)
def main() -> None:
    """Find copies in a data set, divide it, or draw a synthetic one."""


@main.command()
@click.argument("folder", type=_Folder, metavar="DIR")
@click.option("--manifest", type=_File, help="manifest.csv that gives splits, groups and labels.")
@click.option("--dataset", default="", help="Only the manifest's rows of this data set.")
@click.option("--json", "json_file", type=_File, help="Write the counts as JSON.")
@click.option("--csv", "csv_file", type=_File, help="Write every pair of copies as CSV.")
@click.option("--cache", type=_Folder, help="Keep thumbnails here, so that the next run is quick.")
def audit(
    folder: Path,
    manifest: Path | None,
    dataset: str,
    json_file: Path | None,
    csv_file: Path | None,
    cache: Path | None,
) -> None:
    """Find exact, near, mirrored and turned copies across splits, and label conflicts.

    Needs no manifest: the folders say split and label.

    \b
    Example:
      brain-data audit brisc2025 --json audit.json --csv pairs.csv
    """
    with shown_to_user():
        from train.audit import audit as run_audit
        from train.audit_text import audit_text
        from train.layouts import load_samples

        _check_dataset(dataset, manifest)
        samples = load_samples(folder, manifest=manifest, dataset=dataset, verify=False)
        with progress_bar("Reading") as progress:
            report = run_audit(samples, cache=cache, progress=progress)
        if json_file is not None:
            report.write_json(json_file)
        if csv_file is not None:
            report.write_csv(csv_file)
        click.echo(audit_text(report), nl=False)


@main.command()
@click.argument("folder", type=_Folder, metavar="DIR")
@click.option("--output", type=_File, required=True, help="The manifest.csv to write.")
@click.option("--manifest", type=_File, help="Take its groups; and its proposed_split, if any.")
@click.option("--dataset", default="", help="Only the manifest's rows of this data set.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--val", type=_Share, default=0.1, show_default=True, help="Share for validation.")
@click.option("--test", type=_Share, default=0.2, show_default=True, help="Share for the test.")
@click.option("--cache", type=_Folder, help="Keep thumbnails here, so that the next run is quick.")
def split(
    folder: Path,
    output: Path,
    manifest: Path | None,
    dataset: str,
    seed: int,
    val: float,
    test: float,
    cache: Path | None,
) -> None:
    """Divide a data set by patient and copy group into train, val and test.

    The split the folders come with is not kept. Without a manifest, copies are found first, and
    patients where file names mark them (sub-01, patient_12).

    \b
    Example:
      brain-data split brisc2025 --output brisc2025/manifest.csv --seed 1
    """
    with shown_to_user():
        from train.division import divide, division_text
        from train.layouts import load_samples
        from train.manifest_csv import write_manifest

        _check_dataset(dataset, manifest)
        if val + test >= 1:
            raise click.UsageError("--val and --test leave nothing to train on")
        with progress_bar("Reading") as progress:
            samples = load_samples(folder, manifest=manifest, dataset=dataset, progress=progress)
        fractions = (1 - val - test, val, test)
        with progress_bar("Comparing") as progress:
            divided = divide(
                samples, fractions=fractions, seed=seed, cache=cache, progress=progress
            )
        write_manifest(output, divided, official={s.name: s.split for s in samples})
        click.echo(division_text(divided), nl=False)


@main.command()
@click.argument("folder", type=_Folder, metavar="DIR")
@click.option("--per-class", type=click.IntRange(3), default=50, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--size", type=click.IntRange(32, 2048), default=256, show_default=True)
def phantoms(folder: Path, per_class: int, seed: int, size: int) -> None:
    """Draw a synthetic data set of head-like phantoms into a new folder.

    \b
    Example:
      brain-data phantoms phantoms --per-class 100 --seed 1
    """
    with shown_to_user():
        from train.phantoms import write_phantoms

        with progress_bar("Drawing") as progress:
            samples = write_phantoms(
                folder, per_class=per_class, seed=seed, size=size, progress=progress
            )
        click.echo(f"{len(samples)} phantoms in {click.format_filename(folder)}")


def _check_dataset(dataset: str, manifest: Path | None) -> None:
    if dataset and manifest is None:
        raise click.UsageError("--dataset chooses rows of a manifest: give --manifest too")


if __name__ == "__main__":
    main()
