"""``brain-train``: images in, a checkpoint out; and the evaluation of checkpoints and bundles."""

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import (
    Group,
    NamedPath,
    progress_bar,
    results_stream,
    shown_to_user,
    typed_command,
)
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from train.commands.data_options import data_options, given_samples, measured_on
from train.commands.folds import folds
from train.commands.probe import pointing, robustness
from train.commands.report import report
from train.model_names import MODEL_NAMES

if TYPE_CHECKING:
    from train.data.samples import Sample

__all__ = ["main"]

_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)

_EVALUATED = "test"


@click.group(cls=Group, invoke_without_command=True, epilog=RESEARCH_USE_ONLY)
@click.option("--model", help=f"Model to train: {', '.join(MODEL_NAMES)}.")
@partial(data_options, required=False)
@click.option("--recipe", help="Shipped recipe or TOML file; default: MODEL-cpu.")
@click.option("--output", type=_Folder, help="The run's folder; default: runs/MODEL-RECIPE.")
@click.option(
    "--weights", help="Pretrained weights: a Hub id or a local folder; default: from nothing."
)
@click.option(
    "--teacher",
    "teachers",
    type=_Folder,
    multiple=True,
    help="Checkpoint of a model that guides this one; repeat for the mean of several.",
)
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--batch-size", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--image-size", type=click.IntRange(32, 1024), help="Instead of the recipe's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the recipe's.")
@click.option(
    "--report-to",
    type=click.Choice(["tensorboard", "wandb", "wandb-offline", "none"]),
    default="tensorboard",
    show_default=True,
    help="Where losses, accuracies and ROC curves are sent; wandb-offline needs no network.",
)
@click.option("--allow-leaks", is_flag=True, help="Train although the split leaks.")
@click.option(
    "--apart-from",
    type=_Folder,
    help="Another data set to be tested on: leave out images with a copy in its test part.",
)
@click.option("--no-test", is_flag=True, help="Leave the test part alone, as experiments must.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("-v", "--verbose", is_flag=True, help="Log what is being done.")
@click.pass_context
def main(context: click.Context, /, **options: Any) -> None:
    """Train a classifier, best epoch by validation accuracy, and evaluate it on the test part.

    \b
    Example:
      brain-train --model resnet18 --data DATA --manifest DATA/manifest.csv --dataset brisc2025
      brain-train --model cvt13 --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --teacher runs/resnet18-resnet18-cpu/checkpoint
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if options["verbose"] or not sys.stderr.isatty() else logging.WARNING,
        format="%(asctime)s %(message)s",
    )
    for chatty in ("httpx", "matplotlib", "absl"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if context.invoked_subcommand is None:
        if options["model"] is None or options["data"] is None:
            raise click.UsageError("give --model and --data, or a subcommand; see --help")
        with shown_to_user():
            _train(**options)


def _train(
    *,
    model: str,
    data: Path,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    recipe: str | None,
    output: Path | None,
    weights: str | None,
    teachers: tuple[Path, ...],
    report_to: str,
    allow_leaks: bool,
    apart_from: Path | None,
    no_test: bool,
    resume: bool,
    verbose: bool,  # noqa: ARG001 - dealt with in main
    **overrides: int | None,
) -> None:
    from train.models import check_model_name
    from train.recipe import read_recipe

    check_model_name(model)
    settings = read_recipe(recipe or f"{model}-cpu", **overrides)
    run = output or Path("runs") / f"{model}-{settings.name}"
    samples = given_samples(data, manifest, dataset)
    _refuse_leaks(samples, cache, allow_leaks=allow_leaks)
    if apart_from is not None:
        samples = _apart_from(samples, apart_from, cache)

    from transformers.utils.logging import disable_progress_bar

    from train.loop.trackers import log_evaluations, prepare_tracker
    from train.loop.training import train_model
    from train.report.finished_run import write_run_report

    if not sys.stderr.isatty():
        # Of reading and fetching weights.
        disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    tracker = prepare_tracker(report_to, run)
    with results_stream() as results:  # transformers prints its log to stdout
        checkpoint = train_model(
            model,
            samples,
            settings,
            run,
            cache_folder=cache,
            weights=weights,
            teachers=teachers,
            report_to=tracker,
            resume=resume,
        )
        results.write(f"checkpoint: {checkpoint}\n")
        results.write(
            write_run_report(
                checkpoint,
                samples,
                cache,
                command=typed_command("brain-train"),
                parts=("val",) if no_test else ("val", "test"),
            )
            + "\n"
        )
        log_evaluations(report_to, run)


main.add_command(folds)
main.add_command(report)
main.add_command(pointing)
main.add_command(robustness)


@main.command()
@click.argument("model", type=_Folder, metavar="CHECKPOINT_OR_BUNDLE")
@data_options
@click.option(
    "--output", type=_Folder, required=True, help="Gets metrics.json, predictions.csv and images."
)
@click.option(
    "--split",
    "part",
    type=click.Choice(["train", "val", "test"]),
    default=_EVALUATED,
    show_default=True,
)
@click.option("--with-copies", is_flag=True, help="Count every copy, not one of each.")
@click.option(
    "--without",
    type=click.Choice(["byte-copies", "copies"]),
    help="Leave out images that have a copy in the train part: of the file, or of any kind.",
)
@click.option("--title", help="Names the data in tables and images.")
def evaluate(
    model: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    output: Path,
    part: str,
    with_copies: bool,
    without: str | None,
    title: str | None,
) -> None:
    """Measure a checkpoint or a bundle on one part of a data set, beside two baselines.

    \b
    Example:
      brain-train evaluate runs/cvt13-cvt13-cpu/checkpoint --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --output runs/eval/brisc
    """
    with shown_to_user():
        from train.evaluation.evaluate import evaluate as run_evaluation
        from train.evaluation.evaluate import summary
        from train.evaluation.predictors import predictor
        from train.splits.sample_rows import part_rows, rows_without_copies

        samples = given_samples(data, manifest, dataset)
        predict = predictor(model)
        rows = part_rows(samples, part, one_of_each_copy=not with_copies, all_classes=False)
        if without is not None:
            rows = rows_without_copies(
                samples, rows, cache, byte_copies_only=without == "byte-copies"
            )
        from train.data.pixel_cache import PixelCache

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


@main.command()
@click.argument("checkpoint", type=_Folder)
@click.option("--output", type=_Folder, required=True, help="The folder to write.")
@click.option(
    "--metrics",
    type=NamedPath(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="metrics.json to lie beside it, for model cards.",
)
def pack(checkpoint: Path, output: Path, metrics: tuple[Path, ...]) -> None:
    """Write a checkpoint in half precision, with its evaluations, for shipping.

    \b
    Example:
      brain-train pack runs/cvt13-cvt13-cpu/checkpoint --output export/checkpoints/cvt13 \\
          --metrics runs/cvt13-cvt13-cpu/evaluation/test/metrics.json
    """
    with shown_to_user():
        beside = {f"{path.parent.name}.metrics.json": path for path in metrics}
        if len(beside) < len(metrics):
            raise click.UsageError(
                "--metrics: two files lie in folders of the same name, which names them here"
            )
        import torch

        from edge_infer.atomic import refuse_other_content
        from train.checkpoint import CHECKPOINT_FILES, load_checkpoint, save_checkpoint

        known = {*CHECKPOINT_FILES, *(path.name for path in output.glob("*.metrics.json"))}
        refuse_other_content(output, known, what="a checkpoint")
        loaded = load_checkpoint(checkpoint)
        save_checkpoint(
            output,
            name=loaded.name,
            model=loaded.model,
            preprocessor=loaded.preprocessor,
            training=loaded.training,
            sizes=loaded.config.get("brain_edge_sizes"),
            dtype=torch.float16,
            more_files={name: path.read_bytes() for name, path in beside.items()},
        )
        click.echo(f"checkpoint: {output}")


def _apart_from(samples: "list[Sample]", folder: Path, cache: Path) -> "list[Sample]":
    from train.splits.sample_rows import apart_from

    kept = apart_from(samples, given_samples(folder, None, ""), cache)
    click.echo(
        f"left out {len(samples) - len(kept)} images with a copy in the test part of {folder.name}",
        err=True,
    )
    return kept


def _refuse_leaks(samples: "list[Sample]", cache: Path, *, allow_leaks: bool) -> None:
    from train.splits.leaks import find_leaks, refuse_leaks

    with progress_bar("Looking for leaks") as progress:
        leaks = find_leaks(samples, cache=cache, progress=progress)
    if not leaks:
        click.echo("no leak found between the parts", err=True)
    elif allow_leaks:
        click.echo(f"warning: the split leaks: {leaks}", err=True)
    else:
        refuse_leaks(leaks)


if __name__ == "__main__":
    main()
