"""``brain-data counterfactuals``: look at the counterfactual images of a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_infer.console import Command, progress_bar
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from train.commands.data_options import (
    DATASET_HELP,
    FILE,
    FOLDER,
    MANIFEST_HELP,
    check_data,
    class_choice,
    class_options,
)

if TYPE_CHECKING:
    from train.counterfactuals.examples import TwinExample
    from train.counterfactuals.twins import Twin
    from train.data.samples import Sample
    from train.plots.counterfactuals import Panel

__all__ = ["counterfactuals"]


#: That fit below an image.
_LETTERS = 36


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--output", type=FILE, required=True, help="The PNG file to write.")
@click.option("--manifest", type=FILE, help=MANIFEST_HELP)
@click.option("--dataset", default="", help=DATASET_HELP)
@class_options
@click.option(
    "--count",
    type=click.IntRange(1, 24),
    default=8,
    show_default=True,
    help="Number of scans with a tumour, and of healthy heads.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed to choose them with.",
)
def counterfactuals(
    folder: Path,
    output: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    negative: str | None,
    count: int,
    seed: int,
) -> None:
    """Draw counterfactual images, as a recipe's [counterfactual] trains on them.

    Each row shows a scan, its tumour outlined; the scan without the tumour; the scan with a
    healthy place covered in the same way; a healthy head; and that head with the tumour. Dotted
    frames enclose what was changed. Images are those of the train part, if there is one, at 512
    pixels.

    Needs outlines of the tumours (docs/data.md).

    \b
    Example:
      brain-data counterfactuals DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --output counterfactuals.png
    """
    check_data(folder, manifest, dataset)
    from train.counterfactuals.examples import draw_examples
    from train.data.layouts import load_samples
    from train.plots.counterfactuals import plot_panels

    choice = class_choice(classes, negative)
    samples = load_samples(folder, manifest=manifest, dataset=dataset, choice=choice, verify=False)
    with progress_bar("Making") as progress:
        examples = draw_examples(samples, count=count, seed=seed, progress=progress)
    name = shown_name(dataset or folder.resolve().name)
    title = (
        f"{name}: counterfactual images of scans drawn with seed {seed}, for training only. "
        "Outline: the tumour. Dotted frame: what was changed"
    )
    plot_panels(
        _headings(samples[0].classes.negative),
        [_panels(example) for example in examples],
        title,
        output,
    )
    click.echo(click.format_filename(output))
    click.echo(RESEARCH_USE_ONLY)


def _headings(negative: str | None) -> tuple[str, ...]:
    return (
        "scan with a tumour",
        f"tumour removed:\n{negative}",
        "harmless change:\nsame class",
        "healthy head",
        "tumour pasted:\nthe tumour's class",
    )


def _panels(example: "TwinExample") -> "list[Panel]":
    from train.plots.counterfactuals import Panel

    label, negative = example.tumour.class_name, example.healthy.class_name
    return [
        Panel(
            image=example.tumour_image,
            outline=example.mask,
            note=f"{label}\n{_name(example.tumour)}",
        ),
        _twin(example.removed, negative, "no tissue of the scan fits"),
        _twin(example.harmless, label, "no other place fits"),
        Panel(image=example.healthy_image, note=f"{negative}\n{_name(example.healthy)}"),
        _twin(example.pasted, label, "would lie outside the head"),
    ]


def _name(sample: "Sample") -> str:
    name = shown_name(Path(sample.name).name)
    return name if len(name) <= _LETTERS else "…" + name[1 - _LETTERS :]


def _twin(twin: "Twin | None", note: str, none: str) -> "Panel":
    from train.plots.counterfactuals import Panel

    if twin is None:
        return Panel(image=None, note=none)
    return Panel(image=twin.image, changed=twin.region, note=note)
