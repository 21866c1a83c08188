"""Options that several commands share: which images of which data set. And the images they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import NamedPath, progress_bar, say, typed_command
from edge_infer.errors import UnreadableInput
from edge_infer.names import shown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_infer.classes import Classes
    from train.data.class_choice import ClassChoice
    from train.data.samples import Sample

__all__ = [
    "CACHE_HELP",
    "DATASET_HELP",
    "FILE",
    "FOLDER",
    "MANIFEST_HELP",
    "check_data",
    "class_choice",
    "class_options",
    "data_options",
    "given_samples",
    "measured_on",
    "negative_option",
    "part_option",
    "say_classes",
]

# What may not be read is an error of its own, not one of usage: click does not look.
FOLDER = NamedPath(path_type=Path, file_okay=False, readable=False)
FILE = NamedPath(path_type=Path, dir_okay=False, readable=False)

MANIFEST_HELP = (
    "manifest.csv with each image's split, group and label (docs/data.md); default: the names of "
    "the folders say split and label."
)
CACHE_HELP = "Folder that keeps decoded images, so that the next run starts sooner."
_CLASSES_HELP = (
    "The classes in their order, as FOLDER or FOLDER=LABEL with commas between: exactly these; default: the four of "
    "brain tumours if the data set has one of them, else its own, sorted."
)
_NEGATIVE_HELP = (
    "Label of the class that says that nothing is there, as no_tumor does; default: no_tumor if there is such a class, "
    "else none."
)
DATASET_HELP = "Use only the manifest's rows of this data set; default: all rows."

_classes_option = click.option("--classes", metavar="FOLDER[=LABEL],...", help=_CLASSES_HELP)

#: Which class says that nothing is there: for commands whose data set says it, not a model.
negative_option = click.option("--negative", metavar="LABEL", help=_NEGATIVE_HELP)

#: Which part of the data set a measurement is made on.
part_option = click.option(
    "--split",
    "part",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    show_default=True,
    help="Part of the data set to measure on. Images with conflicting labels are left out, and of the copies of an "
    "image one is counted.",
)


def class_options(command: Any) -> Any:
    """Add --classes and --negative to a command."""
    return _classes_option(negative_option(command))


def class_choice(
    classes: str | None, negative: str | None = None, *, model: "Classes | None" = None
) -> "ClassChoice":
    """Return what the options ask of a data set, and the model that is measured on it."""
    from train.data.class_choice import ClassChoice

    return ClassChoice.of_options(classes, negative, model=model)


def say_classes(samples: "Sequence[Sample]") -> None:
    """Say which classes a data set has, unless they are the four of brain tumours."""
    from train.data.samples import classes_of

    classes = classes_of(samples)
    if not classes.is_brain:
        negative = classes.negative or "none"
        say(f"{len(classes)} classes: {', '.join(classes.names)}; negative class: {negative}")


def data_options(command: Any, *, required: bool = True) -> Any:
    """Add --data, --manifest, --dataset, --classes and --cache to a command; ``required`` is that of ``--data``."""
    for option in (
        click.option(
            "--cache",
            type=FOLDER,
            default=Path("runs/cache"),
            show_default=True,
            help=CACHE_HELP,
        ),
        _classes_option,
        click.option("--dataset", default="", help=DATASET_HELP),
        click.option("--manifest", type=FILE, help=MANIFEST_HELP),
        click.option(
            "--data",
            type=FOLDER,
            required=required,
            help="Folder of the data set; docs/data.md shows the layouts.",
        ),
    ):
        command = option(command)
    return command


def check_data(folder: Path | None, manifest: Path | None, dataset: str) -> None:
    """Refuse what can be known to be wrong before anything is read.

    Raises:
        UnreadableInput: The folder may not be entered, its name is too long, and the like.
    """
    if dataset and manifest is None:
        raise click.UsageError("--dataset chooses rows of a manifest: give --manifest too")
    if folder is None:
        return
    try:
        folder.stat()
    except FileNotFoundError:
        pass  # load_samples says it
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(folder)}: folder cannot be read ({error.strerror})",
            hint="check the name and the permissions",
        ) from error


def given_samples(
    data: Path, manifest: Path | None, dataset: str, choice: "ClassChoice | None" = None
) -> "list[Sample]":
    """Load the images that the options name, and say which classes they have."""
    from train.data.layouts import load_samples

    check_data(data, manifest, dataset)
    with progress_bar("Checking") as progress:
        # A manifest holds sizes and modes. Damaged files are then found by the cache, which decodes every image.
        samples = load_samples(
            data,
            manifest=manifest,
            dataset=dataset,
            choice=choice,
            verify=manifest is None,
            progress=progress,
        )
    if choice is None or choice.model is None:  # else they are the model's
        say_classes(samples)
    return samples


def measured_on(identity: str, *, data: str, part: str) -> dict[str, Any]:
    """Return where a measurement comes from: the command as typed, the model, the data set and its part."""
    return {
        "command": typed_command("brain-train"),
        "model": identity,
        "data": data,
        "part": part,
    }
