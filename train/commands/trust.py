"""``brain-train trust``: does a bundle know when it does not know?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import Command, progress_bar
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible
from edge_infer.names import shown_name
from edge_infer.version import __version__
from train.commands.data_options import (
    FILE,
    FOLDER,
    class_choice,
    data_options,
    given_samples,
    measured_on,
    part_option,
)

if TYPE_CHECKING:
    from edge_infer.classes import Classes
    from edge_infer.classifier import Classifier
    from train.data.samples import Sample
    from train.trust.image_set import ImageSet

__all__ = ["trust"]

_SEVERAL = "A folder with subfolders is a set for each of them. May be given several times."


def _named_folders(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> list[tuple[str, Path]]:
    """Read ``NAME=FOLDER``, or ``FOLDER`` alone, which is called by its own name."""
    found = []
    for value in given:
        name, equals, folder = value.partition("=")
        if not equals or Path(value).is_dir():
            name, folder = Path(value).absolute().name, value
        if not name or not Path(folder).is_dir():
            raise click.BadParameter(f"{shown_name(value)} is no FOLDER and no NAME=FOLDER")
        found.append((name, Path(folder)))
    return found


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("bundle", type=FOLDER, metavar="BUNDLE")
@data_options
@click.option(
    "--external",
    "tables",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Images of other sources: a folder with a manifest.csv, or such a table, with source, label and sequence of "
    "each image (docs/trust.md). May be given several times.",
)
@click.option(
    "--far",
    metavar="[NAME=]FOLDER",
    callback=_named_folders,
    multiple=True,
    help=f"Images that are no head, or no scan, such as photographs. {_SEVERAL}",
)
@click.option(
    "--near",
    metavar="[NAME=]FOLDER",
    callback=_named_folders,
    multiple=True,
    help=f"Heads that are out of scope all the same, such as CT. {_SEVERAL}",
)
@click.option(
    "--other-dataset",
    "others",
    multiple=True,
    help="Another data set of the manifest, without images that share a patient or a copy with the one measured. May "
    "be given several times.",
)
@click.option(
    "--learnt",
    type=FILE,
    metavar="MANIFEST",
    help="Manifest that the bundle's model was trained with: images of its train part are left out of the other sets.",
)
@click.option(
    "--corruptions",
    is_flag=True,
    help="Also ask about every corruption of docs/robustness.md at every severity. Takes long; goes on where it was "
    "stopped.",
)
@click.option(
    "--corrupted-images",
    type=click.IntRange(4),
    default=200,
    show_default=True,
    help="How many images are corrupted, drawn by class.",
)
@click.option(
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for trust.html, trust.json and answers.csv.",
)
@part_option
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads within one operator; default: the usable cores.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed of intervals, halves, noise and examples.",
)
@click.option("--title", help="Title of the page; default: model, data set and part.")
def trust(
    bundle: Path,
    data: Path,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    cache: Path,
    tables: tuple[Path, ...],
    far: list[tuple[str, Path]],
    near: list[tuple[str, Path]],
    others: tuple[str, ...],
    learnt: Path | None,
    corruptions: bool,
    corrupted_images: int,
    output: Path,
    part: str,
    threads: int | None,
    seed: int,
    title: str | None,
) -> None:
    """Measure whether a bundle knows when it does not know.

    On part of a data set: how often its prediction sets hold the true class, what it accepts and
    how often that is right. On other images: what it accepts of what is no head at all, of other
    sequences and lesions, and, as a cost, what it rejects of other scanners. docs/trust.md says
    what follows from the figures.

    \b
    Example:
      brain-train trust bundles/efficientnet-lite-int8 --data DATA --manifest DATA/manifest.csv \\
          --dataset brisc2025 --external DATA/external --far FAR --output runs/trust
    """
    from edge_infer.classifier import Classifier
    from train.splits.sample_rows import part_rows
    from train.trust.answers import ask
    from train.trust.cost import cost_figures, timed_images
    from train.trust.examples import DATA_SET_LICENCES
    from train.trust.report import write_trust
    from train.trust.sets import other_data_sets, part_images, without_learnt
    from train.trust.text import trust_text

    if others and not dataset:
        raise click.UsageError("--other-dataset needs --manifest and --dataset")
    classifier = Classifier.load(bundle, num_threads=threads)
    choice = class_choice(classes, model=classifier.bundle.classes)
    samples = given_samples(data, manifest, dataset, choice)
    sets = [
        *_given_sets(tables, far, near, classifier.bundle.classes),
        *other_data_sets(
            samples,
            [one for name in others for one in given_samples(data, manifest, name, choice)],
            DATA_SET_LICENCES,
        ),
    ]
    if learnt is not None:
        sets = without_learnt(sets, given_samples(data, learnt, "", choice))
    fields = classifier.bundle.manifest.get("trust")
    if fields is None:
        raise BundleIncompatible(
            f"bundle {shown_name(bundle.name)} does not say when an answer is accepted",
            hint="export it again: bundles before schema 3 have no scope check and no prediction sets",
        )
    rows = part_rows(samples, part, one_of_each_copy=True, all_classes=False)
    images = part_images(samples, rows, DATA_SET_LICENCES)
    asked = [("part", images), *((one.name, one.images) for one in sets)]
    answers = []
    for name, its in asked:
        with progress_bar(f"Asking about {shown_name(name)}") as progress:
            answers.append(ask(classifier, its, progress))
    corrupted = None
    if corruptions:
        few = min(corrupted_images, len(rows))
        corrupted = _corrupted(classifier, samples, rows, few, cache, output, seed)
    with progress_bar("Timing") as progress:
        cost = cost_figures(classifier, timed_images(images), progress)
    model = classifier.model
    name = shown_name(dataset or data.name)
    result = write_trust(
        answers[0],
        list(zip(sets, answers[1:], strict=True)),
        output,
        trust=fields,
        title=title or f"{model.name} {model.precision} on {name}, {part} part",
        provenance=measured_on(f"bundle {model.manifest_sha256}", data=name, part=part),
        corrupted=corrupted,
        cost=cost,
        seed=seed,
    )
    click.echo(trust_text(result))
    click.echo(RESEARCH_USE_ONLY)


def _given_sets(
    tables: tuple[Path, ...],
    far: list[tuple[str, Path]],
    near: list[tuple[str, Path]],
    classes: "Classes",
) -> "list[ImageSet]":
    from train.trust.image_set import Kind
    from train.trust.sets import folder_sets, table_sets

    sets = [
        one
        for table in tables
        for one in table_sets(table / "manifest.csv" if table.is_dir() else table, classes)
    ]
    for kind, folders in ((Kind.FAR, far), (Kind.NEAR, near)):
        sets += [one for name, folder in folders for one in folder_sets(name, folder, kind)]
    return sets


def _corrupted(
    classifier: "Classifier",
    samples: "list[Sample]",
    rows: list[int],
    count: int,
    cache: Path,
    output: Path,
    seed: int,
) -> dict[str, Any]:
    """Ask about corruptions of some images of the part."""
    import numpy as np

    from train.data.manifest_csv import manifest_hash
    from train.data.pixel_cache import PixelCache
    from train.trust.corrupted import corrupted_cells, drawn_rows

    chosen = drawn_rows([samples[row].label for row in rows], count, seed)
    its = [samples[rows[number]] for number in chosen]
    with progress_bar("Reading") as progress:
        pixels = PixelCache.build(its, classifier.bundle.preprocessor, cache, progress).pixels
    with progress_bar("Corrupting") as progress:
        cells = corrupted_cells(
            classifier,
            pixels,
            np.array([one.label for one in its], dtype=np.int64),
            [one.group for one in its],
            output,
            identity={
                "bundle": classifier.model.manifest_sha256,
                "version": __version__,
                "images": manifest_hash(its),
                "seed": seed,
            },
            seed=seed,
            progress=progress,
        )
    return {"n": len(its), "cells": cells}
