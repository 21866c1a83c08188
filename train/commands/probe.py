"""``brain-train pointing`` and ``robustness``: what an accuracy rests on, and what is left of it elsewhere."""

from pathlib import Path

import click

from edge_infer.console import NamedPath, progress_bar, shown_to_user
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import data_options, given_samples, measured_on, part_option

__all__ = ["pointing", "robustness"]

_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)


@click.command()
@click.argument("model", type=_Folder, metavar="CHECKPOINT_OR_BUNDLE")
@data_options
@click.option(
    "--output",
    type=_Folder,
    required=True,
    help="Gets pointing.json, pointing.csv and pointing.png.",
)
@part_option
def pointing(
    model: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    output: Path,
    part: str,
) -> None:
    """Play the pointing game: is the largest evidence inside the tumour?

    Needs tumour masks beside the images, as BRISC 2025 has them. Chance and the middle of the
    image stand beside every figure.

    \b
    Example:
      brain-train pointing bundles/cvt13-int8 --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --output runs/pointing/cvt13-int8
    """
    with shown_to_user():
        from train.data.pixel_cache import PixelCache
        from train.data.tumour_masks import MaskCache
        from train.evaluation.predictors import predictor
        from train.pointing.examples import draw_examples
        from train.pointing.game import point, rows_with_tumour
        from train.pointing.report import write_pointing
        from train.pointing.text import pointing_text
        from train.splits.sample_rows import part_rows

        samples = given_samples(data, manifest, dataset)
        predict = predictor(model)
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
        draw_examples(
            found, maps, samples, pixels, masks.masks, output / "pointing.png", title=title
        )
        click.echo(pointing_text(result))
        click.echo(RESEARCH_USE_ONLY)


@click.command()
@click.argument("model", type=_Folder, metavar="CHECKPOINT_OR_BUNDLE")
@data_options
@click.option(
    "--output",
    type=_Folder,
    required=True,
    help="Gets robustness.json, robustness.png and neutralised.png; goes on where it was stopped.",
)
@part_option
@click.option(
    "--images",
    "--pictures",  # its name until 0.1
    "images",
    type=click.IntRange(4),
    help="Only so many, drawn with the seed, each class in its share; default: all.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
def robustness(
    model: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    output: Path,
    part: str,
    images: int | None,
    seed: int,
) -> None:
    """Measure a model on images made worse, and on images stripped of cues.

    Every corruption at every severity (docs/gate.md names them), and images without size and
    shape of the head, rim, orientation or overall intensity. The nearest training thumbnail and
    the table of image sizes stand beside the model.

    \b
    Example:
      brain-train robustness bundles/cvt13-int8 --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --output runs/robustness/cvt13-int8
    """
    with shown_to_user():
        from train.data.pixel_cache import PixelCache
        from train.evaluation.predictors import predictor
        from train.plots.robustness import plot_neutralised, plot_robustness
        from train.robustness.cells import chosen_rows
        from train.robustness.table import robustness as fill_table
        from train.robustness.text import robustness_text
        from train.splits.sample_rows import part_rows

        samples = given_samples(data, manifest, dataset)
        predict = predictor(model)
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
