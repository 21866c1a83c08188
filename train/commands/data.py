"""brain-data: look at a data set, find its copies, divide it, or draw a synthetic one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edge_infer.console import FiniteRange, Group, NamedPath, progress_bar, say, shown_to_user
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name

if TYPE_CHECKING:
    from train.splits.division import Unit

__all__ = ["main"]

# What may not be read is no usage error.
_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)
_File = NamedPath(path_type=Path, dir_okay=False, readable=False)
_Share = FiniteRange(0, 0.9)
_Seed = click.IntRange(0, 2**32 - 1)  # as scikit-learn takes it


@click.group(cls=Group, epilog=RESEARCH_USE_ONLY)
def main() -> None:
    """Find copies in a data set, divide it, look at it, or draw a synthetic one."""


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
        from train.data.layouts import load_samples
        from train.splits.audit import audit as run_audit
        from train.splits.audit_text import audit_text

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
@click.option("--seed", type=_Seed, default=0, show_default=True)
@click.option("--val", type=_Share, default=0.1, show_default=True, help="Share for validation.")
@click.option("--test", type=_Share, default=0.2, show_default=True, help="Share for the test.")
@click.option(
    "--keep-test",
    is_flag=True,
    help="Keep the test part the folders come with; divide the rest, --val being its share.",
)
@click.option(
    "--by",
    type=click.Choice(["group", "picture"]),
    default="group",
    show_default=True,
    help="What goes to one side as a whole. By image leaks between the parts.",
)
@click.option("--cache", type=_Folder, help="Keep thumbnails here, so that the next run is quick.")
def split(
    folder: Path,
    output: Path,
    manifest: Path | None,
    dataset: str,
    seed: int,
    val: float,
    test: float,
    keep_test: bool,
    by: "Unit",
    cache: Path | None,
) -> None:
    """Divide a data set by patient and copy group into train, val and test.

    The split the folders come with is not kept, unless --keep-test says so for the test part.
    Without a manifest, copies are found first, and patients where file names mark them (sub-01,
    patient_12).

    --by picture divides at random within each class, as many published works do. Copies and
    patients then lie on several sides, and figures come out too good: for comparison only.

    \b
    Example:
      brain-data split brisc2025 --output brisc2025/manifest.csv --seed 1
      brain-data split sartaj --keep-test --by picture --val 0.2 --seed 42 --output manifest.csv
    """
    with shown_to_user():
        _check_dataset(dataset, manifest)
        if keep_test:
            source = click.get_current_context().get_parameter_source("test")
            if source is not ParameterSource.DEFAULT:
                raise click.UsageError("--keep-test keeps the test part as it is: leave out --test")
            test = 0.0
        if val + test >= 1:
            raise click.UsageError("--val and --test leave nothing to train on")
        from train.data.layouts import load_samples
        from train.data.manifest_csv import write_manifest
        from train.splits.division import divide
        from train.splits.division_text import division_text, lacking_text, sharing_text

        with progress_bar("Reading") as progress:
            samples = load_samples(folder, manifest=manifest, dataset=dataset, progress=progress)
        fractions = (1 - val - test, val, test)
        with progress_bar("Comparing") as progress:
            divided = divide(
                samples,
                fractions=fractions,
                seed=seed,
                by=by,
                keep_test=keep_test,
                cache=cache,
                progress=progress,
            )
        write_manifest(output, divided, official={s.name: s.split for s in samples})
        click.echo(division_text(divided), nl=False)
        if lacking := lacking_text(divided):
            say(
                f"warning: there is no image of {lacking}; brain-train needs images of all classes in train and val"
            )
        if by == "picture":
            say("warning: --by picture does not keep copies and patients together")
        if sharing := sharing_text(divided):
            shown = click.format_filename(output)
            say(
                f"warning: the split leaks: {sharing} share a patient, a group or a copy with an "
                f"earlier part; brain-data audit DIR --manifest {shown} lists the copies"
            )


@main.command()
@click.argument("folder", type=_Folder, metavar="DIR")
@click.option("--output", type=_Folder, required=True, help="Gets the PNG files.")
@click.option("--manifest", type=_File, help="manifest.csv that gives splits and labels.")
@click.option("--dataset", default="", help="Only the manifest's rows of this data set.")
@click.option(
    "--per-class",
    type=click.IntRange(1, 20),
    default=6,
    show_default=True,
    help="Images of each class.",
)
@click.option("--seed", type=_Seed, help="Draw them at random; default: the first ones.")
def show(
    folder: Path,
    output: Path,
    manifest: Path | None,
    dataset: str,
    per_class: int,
    seed: int | None,
) -> None:
    """Count the images of each class, and draw the counts, images and means of the classes.

    Images and means are those of the train part, if there is one. File names stand above the
    images.

    \b
    Example:
      brain-data show brisc2025 --output brisc2025-shown
    """
    with shown_to_user():
        _check_dataset(dataset, manifest)
        from train.data.layouts import load_samples
        from train.show import show as draw
        from train.splits.division_text import class_table

        samples = load_samples(folder, manifest=manifest, dataset=dataset, verify=False)
        name = shown_name(dataset or folder.resolve().name)
        with progress_bar("Reading") as progress:
            files = draw(
                samples, output, name=name, per_class=per_class, seed=seed, progress=progress
            )
        click.echo(class_table(samples), nl=False)
        for file in files:
            click.echo(click.format_filename(file))
        click.echo(RESEARCH_USE_ONLY)


@main.command()
@click.argument("folder", type=_Folder, metavar="DIR")
@click.option("--per-class", type=click.IntRange(3), default=50, show_default=True)
@click.option("--seed", type=_Seed, default=0, show_default=True)
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
