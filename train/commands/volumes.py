"""``brain-train volumes``: does a model find the tumour, or does it read the sequence?"""

from pathlib import Path

import click

from edge_infer.console import Command, progress_bar
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from train.commands.data_options import CACHE_HELP, FILE, FOLDER, check_data, measured_on

__all__ = ["volumes"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("model", type=FOLDER, metavar="CHECKPOINT_OR_BUNDLE")
@click.option(
    "--manifest",
    "manifests",
    type=FILE,
    multiple=True,
    required=True,
    help="Table of the images: patient, volume and sequence of each (docs/volumes.md). May be given several times.",
)
@click.option("--data", type=FOLDER, help="Use only images below this folder; default: all.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    help="Use only images of this data set. May be given several times.",
)
@click.option(
    "--modality",
    "modalities",
    multiple=True,
    help="Use only images of this sequence, such as T1c. May be given several times.",
)
@click.option(
    "--patient",
    "patients",
    multiple=True,
    help="Use only images of this patient, such as one that training left out. May be given several times.",
)
@click.option(
    "--without-patient",
    "without_patients",
    multiple=True,
    help="Leave out the images of this patient, such as one that was trained on. May be given several times.",
)
@click.option(
    "--split",
    "part",
    type=click.Choice(["train", "val", "test"]),
    help="Use only this part of the manifest's images; default: all.",
)
@click.option(
    "--cache",
    type=FOLDER,
    default=Path("runs/cache"),
    show_default=True,
    help=CACHE_HELP,
)
@click.option(
    "--output",
    type=FOLDER,
    required=True,
    help="Folder for volumes.json, volumes.csv, volumes.png, roc.png and evidence.png.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed of the choice of images that evidence.png shows.",
)
@click.option("--title", help="Title of tables and plots; default: model and data sets.")
def volumes(
    model: Path,
    manifests: tuple[Path, ...],
    data: Path | None,
    datasets: tuple[str, ...],
    modalities: tuple[str, ...],
    patients: tuple[str, ...],
    without_patients: tuple[str, ...],
    part: str | None,
    cache: Path,
    output: Path,
    seed: int,
    title: str | None,
) -> None:
    """Measure whether a model finds the tumour or reads the sequence.

    Where healthy heads come from another sequence than tumours, a model can be right without
    looking for a tumour. Slices with and without a tumour of one volume share patient, scanner
    and sequence, so inside a volume only the tumour tells. Shown are how well the two are
    separated, in all and inside volumes, beside scores that use no model, such as brightness.

    Patients that the model was trained on tell nothing here: leave them out.

    \b
    Example:
      brain-train volumes bundles/cvt13-int8 --manifest EXTERNAL/manifest.csv --modality T1c \\
          --dataset tcia_btp --patient btp09 --patient btp10 --output runs/volumes/cvt13-int8
    """
    from edge_infer.errors import BundleIncompatible
    from train.data.pixel_cache import PixelCache
    from train.evaluation.predictors import predictor
    from train.volumes.answers import ask
    from train.volumes.drawings import draw_separation, draw_volumes
    from train.volumes.examples import draw_examples
    from train.volumes.report import cues_of_sources, write_volumes
    from train.volumes.slices import Filters, chosen_slices, read_slices
    from train.volumes.text import volumes_text

    check_data(data, None, "")
    predict = predictor(model)
    if not predict.classes.is_brain:
        raise BundleIncompatible(
            f"{shown_name(model.name)} tells apart {', '.join(predict.classes.names)}: volumes are measured with the "
            "four brain classes only",
            hint="brain-train evaluate measures models of any classes",
        )
    filters = Filters(
        below=data,
        datasets=datasets,
        modalities=modalities,
        patients=patients,
        without_patients=without_patients,
        split=part or "",
    )
    slices = chosen_slices([one for path in manifests for one in read_slices(path)], filters)
    with progress_bar("Reading") as progress:
        samples = [one.sample() for one in slices]
        pixels = PixelCache.build(samples, predict.preprocessor, cache, progress).pixels
    with progress_bar("Classifying") as progress:
        answers = ask(predict, slices, pixels, temperature=predict.temperature, progress=progress)
    sources = ", ".join(sorted({one.source for one in slices}))
    name = title or shown_name(f"{predict.name} on {sources}")
    cues = cues_of_sources(answers, pixels)
    result = write_volumes(
        answers,
        cues,
        output,
        title=name,
        provenance=measured_on(predict.identity, data=shown_name(sources), part=part or "all"),
    )
    draw_volumes(answers, output / "volumes.png", title=name)
    draw_separation(answers, cues, output / "roc.png", title=name)
    draw_examples(
        predict.with_evidence,
        answers,
        pixels,
        predict.preprocessor,
        output / "evidence.png",
        title=name,
        seed=seed,
    )
    click.echo(volumes_text(result))
    click.echo(RESEARCH_USE_ONLY)
