"""The options of brain-train that say which images, and the images they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import NamedPath, progress_bar, typed_command

if TYPE_CHECKING:
    from train.data.samples import Sample

__all__ = ["data_options", "given_samples", "measured_on", "part_option"]

_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)
_File = NamedPath(path_type=Path, dir_okay=False, readable=False)


#: Which part of the data set a measurement is made on.
part_option = click.option(
    "--split",
    "part",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    show_default=True,
    help="One of each copy, without label conflicts.",
)


def data_options(command: Any, *, required: bool = True) -> Any:
    """Add the options to a command; ``required`` says whether it can do nothing without ``--data``."""
    for option in (
        click.option(
            "--cache",
            type=_Folder,
            default=Path("runs/cache"),
            show_default=True,
            help="Decoded images.",
        ),
        click.option("--dataset", default="", help="Only the manifest's rows of this data set."),
        click.option("--manifest", type=_File, help="manifest.csv with splits, groups and labels."),
        click.option(
            "--data",
            type=_Folder,
            required=required,
            help="Folder of the data set; see docs/data.md for layouts.",
        ),
    ):
        command = option(command)
    return command


def given_samples(data: Path, manifest: Path | None, dataset: str) -> "list[Sample]":
    """Load the images that the options name."""
    from train.data.layouts import load_samples

    if dataset and manifest is None:
        raise click.UsageError("--dataset chooses rows of a manifest: give --manifest too")
    with progress_bar("Checking") as progress:
        # A manifest tells sizes and modes; damaged files are then named by the cache, which decodes all anyway.
        return load_samples(
            data, manifest=manifest, dataset=dataset, verify=manifest is None, progress=progress
        )


def measured_on(identity: str, *, data: str, part: str) -> dict[str, Any]:
    """Say where a measurement comes from: the command as typed, the model, the data and the part of it."""
    return {
        "command": typed_command("brain-train"),
        "model": identity,
        "data": data,
        "part": part,
    }
