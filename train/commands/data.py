"""``brain-data``: look at a data set, find its copies, divide it, join it with others, or draw a synthetic one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge_infer.console import FiniteRange, Group, progress_bar, say
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import counted, shown_name
from train.commands.counterfactuals import counterfactuals
from train.commands.data_options import (
    DATASET_HELP,
    FILE,
    FOLDER,
    MANIFEST_HELP,
    check_data,
    class_choice,
    class_options,
    say_classes,
)
from train.commands.join import join

if TYPE_CHECKING:
    from train.phantoms import Kind
    from train.splits.division import Unit

__all__ = ["main"]

_Share = FiniteRange(0, 0.9)
_Seed = click.IntRange(0, 2**32 - 1)  # as scikit-learn takes it


class _Unit(click.Choice):  # type: ignore[type-arg] # no generic class before click 8.2
    """What is never divided; ``picture`` was the name of ``image`` until 0.1."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert("image" if value == "picture" else value, param, ctx)


_CACHE_HELP = "Folder that keeps thumbnails, so that the next run is quick; default: none are kept."


@click.group("brain-data", cls=Group, epilog=RESEARCH_USE_ONLY)
def main() -> None:
    """Find copies in a data set, divide or join data sets, look at one, or draw a synthetic one.

    \b
    Example:
      brain-data audit brisc2025
      brain-data split brisc2025 --output brisc2025/manifest.csv
    """


@main.command(epilog=RESEARCH_USE_ONLY)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--manifest", type=FILE, help=MANIFEST_HELP)
@click.option("--dataset", default="", help=DATASET_HELP)
@class_options
@click.option("--json", "json_file", type=FILE, help="File to write the counts to, as JSON.")
@click.option("--csv", "csv_file", type=FILE, help="File to write every pair of copies to, as CSV.")
@click.option("--cache", type=FOLDER, help=_CACHE_HELP)
def audit(
    folder: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    negative: str | None,
    json_file: Path | None,
    csv_file: Path | None,
    cache: Path | None,
) -> None:
    """Find copies across splits, and label conflicts.

    Copies are exact, near, mirrored or turned. Needs no manifest: the names of the folders say
    split and label.

    \b
    Example:
      brain-data audit brisc2025 --json audit.json --csv pairs.csv
    """
    from train.data.layouts import load_samples
    from train.splits.audit import audit as run_audit
    from train.splits.audit_text import audit_text

    check_data(folder, manifest, dataset)
    choice = class_choice(classes, negative)
    samples = load_samples(folder, manifest=manifest, dataset=dataset, choice=choice, verify=False)
    say_classes(samples)
    with progress_bar("Reading") as progress:
        report = run_audit(samples, cache=cache, progress=progress)
    if json_file is not None:
        report.write_json(json_file)
    if csv_file is not None:
        report.write_csv(csv_file)
    click.echo(audit_text(report), nl=False)


@main.command(epilog=RESEARCH_USE_ONLY)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--output", type=FILE, required=True, help="The manifest.csv to write.")
@click.option(
    "--manifest",
    type=FILE,
    help="manifest.csv whose groups are taken, and its proposed split if it has one; default: groups are found.",
)
@click.option("--dataset", default="", help=DATASET_HELP)
@class_options
@click.option(
    "--seed", type=_Seed, default=0, show_default=True, help="Random seed of the division."
)
@click.option(
    "--val",
    type=_Share,
    default=0.1,
    show_default=True,
    help="Share of the images that goes to validation.",
)
@click.option(
    "--test",
    type=_Share,
    default=0.2,
    show_default=True,
    help="Share of the images that goes to the test part.",
)
@click.option(
    "--keep-test",
    is_flag=True,
    help="Keep the test part the data set comes with, and divide the rest; --val is then a share of the rest.",
)
@click.option(
    "--by",
    type=_Unit(["group", "image"]),
    default="group",
    show_default=True,
    help="What is never divided: all images of a patient or copy group, or only each image, which leaks between the "
    "parts.",
)
@click.option("--cache", type=FOLDER, help=_CACHE_HELP)
def split(
    folder: Path,
    output: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    negative: str | None,
    seed: int,
    val: float,
    test: float,
    keep_test: bool,
    by: "Unit",
    cache: Path | None,
) -> None:
    """Divide a data set into train, val and test.

    Patients and copy groups are never divided. The split that the folders come with is
    replaced; --keep-test keeps its test part. Without a manifest, copies are found first, and
    patients where file names mark them (sub-01, patient_12).

    Classes that are not the four of brain tumours are numbered in the manifest, so that
    brain-train needs no --classes and --negative again.

    --by image divides at random within each class, as many published works do. Copies and images
    of one patient then lie in several parts, and figures are too good: for comparison only.

    \b
    Example:
      brain-data split brisc2025 --output brisc2025/manifest.csv --seed 1
      brain-data split sartaj --keep-test --by image --val 0.2 --seed 42 --output manifest.csv
      brain-data split knees --classes normal,tear=torn --negative normal --output knees/manifest.csv
    """
    check_data(folder, manifest, dataset)
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

    choice = class_choice(classes, negative)
    with progress_bar("Reading") as progress:
        samples = load_samples(
            folder, manifest=manifest, dataset=dataset, choice=choice, progress=progress
        )
    say_classes(samples)
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
    if by == "image":
        say("warning: --by image does not keep copies and patients together")
    if sharing := sharing_text(divided):
        shown = click.format_filename(output)
        say(
            f"warning: the split leaks: {sharing} share a patient, a group or a copy with an "
            f"earlier part; brain-data audit DIR --manifest {shown} lists the copies"
        )


main.add_command(join)
main.add_command(counterfactuals)


@main.command(epilog=RESEARCH_USE_ONLY)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--output", type=FOLDER, required=True, help="Folder for the PNG files.")
@click.option("--manifest", type=FILE, help=MANIFEST_HELP)
@click.option("--dataset", default="", help=DATASET_HELP)
@class_options
@click.option(
    "--per-class",
    type=click.IntRange(1, 20),
    default=6,
    show_default=True,
    help="Number of images to draw of each class.",
)
@click.option(
    "--seed", type=_Seed, help="Random seed to choose them with; default: the first ones are taken."
)
def show(
    folder: Path,
    output: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    negative: str | None,
    per_class: int,
    seed: int | None,
) -> None:
    """Count the images of each class, and plot some of them.

    Plots show the counts, some images and the mean image of each class. Images and means are
    those of the train part, if there is one. The file's name stands above each image.

    \b
    Example:
      brain-data show brisc2025 --output brisc2025-shown
    """
    check_data(folder, manifest, dataset)
    from train.data.layouts import load_samples
    from train.show import show as draw
    from train.splits.division_text import class_table

    choice = class_choice(classes, negative)
    samples = load_samples(folder, manifest=manifest, dataset=dataset, choice=choice, verify=False)
    say_classes(samples)
    name = shown_name(dataset or folder.resolve().name)
    with progress_bar("Reading") as progress:
        files = draw(samples, output, name=name, per_class=per_class, seed=seed, progress=progress)
    click.echo(class_table(samples), nl=False)
    for file in files:
        click.echo(click.format_filename(file))
    click.echo(RESEARCH_USE_ONLY)


@main.command(epilog=RESEARCH_USE_ONLY)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--kind",
    type=click.Choice(["brain", "shapes"]),
    default="brain",
    show_default=True,
    help="What is drawn: heads of the four brain classes, or with a disk, a ring or nothing in them.",
)
@click.option(
    "--per-class",
    type=click.IntRange(3),
    default=50,
    show_default=True,
    help="Number of images of each class.",
)
@click.option(
    "--seed", type=_Seed, default=0, show_default=True, help="Random seed of the drawings."
)
@click.option(
    "--size",
    type=click.IntRange(32, 2048),
    default=256,
    show_default=True,
    help="Side of the square images in pixels.",
)
def phantoms(folder: Path, kind: "Kind", per_class: int, seed: int, size: int) -> None:
    """Draw a synthetic data set of head-like phantoms.

    DIR must be a new or empty folder.

    \b
    Example:
      brain-data phantoms phantoms --per-class 100 --seed 1
      brain-data phantoms shapes --kind shapes --per-class 120
    """
    from train.phantoms import write_phantoms

    with progress_bar("Drawing") as progress:
        samples = write_phantoms(
            folder, kind=kind, per_class=per_class, seed=seed, size=size, progress=progress
        )
    click.echo(f"{counted(len(samples), 'phantom')} in {click.format_filename(folder)}")


if __name__ == "__main__":
    main()
