"""``brain-train pointing`` and ``robustness``: does a model look at the tumour, and what do worse images cost it?"""

from pathlib import Path

import click

from edge_infer.console import Command, progress_bar
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import (
    FOLDER,
    class_choice,
    data_options,
    given_samples,
    measured_on,
    part_option,
)

__all__ = ["pointing", "robustness"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("model", type=FOLDER, metavar="CHECKPOINT_OR_BUNDLE")
@data_options
@click.option(
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for pointing.json, pointing.csv and pointing.png.",
)
@part_option
def pointing(
    model: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    cache: Path,
    output: Path,
    part: str,
) -> None:
    """Measure how often a model's evidence points at the tumour.

    This is the pointing game: is the place of the largest evidence inside the tumour? The data
    set must have tumour masks, as BRISC 2025 has. Every figure is shown beside that of chance
    and that of the image's middle.

    \b
    Example:
      brain-train pointing bundles/cvt13-int8 --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --output runs/pointing/cvt13-int8
    """
    from train.data.pixel_cache import PixelCache
    from train.data.tumour_masks import MaskCache
    from train.evaluation.predictors import predictor
    from train.pointing.examples import draw_examples
    from train.pointing.game import point, rows_with_tumour
    from train.pointing.report import write_pointing
    from train.pointing.text import pointing_text
    from train.splits.sample_rows import part_rows

    predict = predictor(model)
    choice = class_choice(classes, model=predict.classes)
    samples = given_samples(data, manifest, dataset, choice)
    rows = part_rows(samples, part, one_of_each_copy=True, all_classes=False)
    with progress_bar("Reading masks") as progress:
        masks = MaskCache.build(samples, predict.preprocessor, cache, progress)
    rows = rows_with_tumour(samples, rows, masks.known)
    with progress_bar("Reading") as progress:
        pixels = PixelCache.build(samples, predict.preprocessor, cache, progress).pixels
    with progress_bar("Pointing") as progress:
        found, maps = point(predict.with_evidence, samples, pixels, masks.masks, rows, progress)
    name = dataset or data.name
    title = f"{predict.name} on {name}, {part} part"
    result = write_pointing(
        found,
        samples,
        output,
        title=title,
        provenance=measured_on(predict.identity, data=name, part=part),
        evidence_shape=(maps[0].shape[1], maps[0].shape[2]),
    )
    draw_examples(found, maps, samples, pixels, masks.masks, output / "pointing.png", title=title)
    click.echo(pointing_text(result))
    click.echo(RESEARCH_USE_ONLY)


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("model", type=FOLDER, metavar="CHECKPOINT_OR_BUNDLE")
@data_options
@click.option(
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for robustness.json, robustness.png and neutralised.png; a run that was stopped there is continued.",
)
@part_option
@click.option(
    "--images",
    "--pictures",  # its name until 0.1
    "images",
    type=click.IntRange(4),
    help="Number of images to measure on, drawn at random, each class in its share; default: all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed of the corruptions, and of the choice that --images makes.",
)
def robustness(
    model: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    cache: Path,
    output: Path,
    part: str,
    images: int | None,
    seed: int,
) -> None:
    """Measure a model on corrupted images and without cues.

    Images are corrupted in every way and at every severity that docs/gate.md names. In others one
    cue is removed: size and shape of the head, the rim, the orientation, or the overall intensity.
    Two baselines stand beside the model: the nearest training thumbnail and a table of image sizes.

    \b
    Example:
      brain-train robustness bundles/cvt13-int8 --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --output runs/robustness/cvt13-int8
    """
    from train.data.pixel_cache import PixelCache
    from train.evaluation.predictors import predictor
    from train.plots.robustness import plot_neutralised, plot_robustness
    from train.robustness.cells import chosen_rows
    from train.robustness.table import robustness as fill_table
    from train.robustness.text import robustness_text
    from train.splits.sample_rows import part_rows

    predict = predictor(model)
    choice = class_choice(classes, model=predict.classes)
    samples = given_samples(data, manifest, dataset, choice)
    rows = part_rows(samples, part, one_of_each_copy=True, all_classes=False)
    chosen = chosen_rows(samples, rows, images, seed)
    with progress_bar("Reading") as progress:
        pixels = PixelCache.build(samples, predict.preprocessor, cache, progress).pixels
    name = dataset or data.name
    which = "" if len(chosen) == len(rows) else f", {len(chosen)} of {len(rows)} images"
    with progress_bar("Measuring") as progress:
        table = fill_table(
            predict,
            samples,
            pixels,
            chosen,
            output,
            title=f"{predict.name} on {name}, {part} part{which}",
            digest=predict.digest,
            provenance=measured_on(predict.identity, data=name, part=part),
            seed=seed,
            progress=progress,
        )
    plot_robustness(table, output / "robustness.png")
    plot_neutralised(table, output / "neutralised.png")
    click.echo(robustness_text(table))
    click.echo(RESEARCH_USE_ONLY)
