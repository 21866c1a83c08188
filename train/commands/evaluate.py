"""``brain-train evaluate``: measure a checkpoint or a bundle on one part of a data set."""

from pathlib import Path

import click

from edge_infer.console import Command, progress_bar
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from train.commands.data_options import (
    FOLDER,
    class_choice,
    data_options,
    given_samples,
    measured_on,
    part_option,
)

__all__ = ["evaluate"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("model", type=FOLDER, metavar="CHECKPOINT_OR_BUNDLE")
@data_options
@click.option(
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for metrics.json, predictions.csv and plots.",
)
@part_option
@click.option(
    "--with-copies", is_flag=True, help="Count every copy of an image, not only one of them."
)
@click.option(
    "--without",
    type=click.Choice(["byte-copies", "copies"]),
    help="Leave out images that have a copy in the train part: byte-copies are the same file, copies also the same "
    "image resized, mirrored or saved anew.",
)
@click.option("--title", help="Title of tables and plots; default: model, data set and part.")
def evaluate(
    model: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    cache: Path,
    output: Path,
    part: str,
    with_copies: bool,
    without: str | None,
    title: str | None,
) -> None:
    """Measure a checkpoint or bundle on part of a data set.

    Two baselines stand beside every figure: the nearest training thumbnail and a table of image
    sizes. A model that is not clearly better has learnt little.

    \b
    Example:
      brain-train evaluate runs/cvt13-cvt13-cpu/checkpoint --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --output runs/eval/brisc
    """
    from train.data.pixel_cache import PixelCache
    from train.evaluation.evaluate import evaluate as run_evaluation
    from train.evaluation.evaluate import summary
    from train.evaluation.predictors import predictor
    from train.splits.sample_rows import part_rows, rows_without_copies

    predict = predictor(model)
    choice = class_choice(classes, model=predict.classes)
    samples = given_samples(data, manifest, dataset, choice)
    rows = part_rows(samples, part, one_of_each_copy=not with_copies, all_classes=False)
    if without is not None:
        rows = rows_without_copies(samples, rows, cache, byte_copies_only=without == "byte-copies")
    with progress_bar("Reading") as progress:
        pixels = PixelCache.build(samples, predict.preprocessor, cache, progress).pixels
    name = shown_name(dataset or data.name)
    with progress_bar("Evaluating") as progress:
        metrics = run_evaluation(
            predict,
            samples,
            pixels,
            rows,
            output,
            title=title or f"{predict.name} on {name}, {part} part",
            temperature=predict.temperature,
            provenance=measured_on(predict.identity, data=name, part=part),
            progress=progress,
        )
    click.echo(summary(metrics))
    click.echo(RESEARCH_USE_ONLY)
