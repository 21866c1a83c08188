"""``brain-data join``: one manifest from several."""

from pathlib import Path

import click

from edge_infer.console import Command, FiniteRange, progress_bar, say
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import FILE, say_classes

__all__ = ["join"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("manifests", type=FILE, metavar="MANIFEST...", nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The manifest.csv to write.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    help="Take only the rows of this data set; can be repeated. Default: all rows.",
)
@click.option(
    "--hold-out",
    "held_out",
    multiple=True,
    metavar="GROUP",
    help="Put this group into the test part, such as tcia_btp/btp09 for a patient; can be repeated.",
)
@click.option(
    "--val",
    type=FiniteRange(0, 0.9),
    default=0.1,
    show_default=True,
    help="Share that goes to validation, of the images that have no part yet.",
)
@click.option(
    "--test",
    type=FiniteRange(0, 0.9),
    default=0.2,
    show_default=True,
    help="Share that goes to the test part, of the images that have no part yet.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed of the division of those images.",
)
def join(
    manifests: tuple[Path, ...],
    output: Path,
    datasets: tuple[str, ...],
    held_out: tuple[str, ...],
    val: float,
    test: float,
    seed: int,
) -> None:
    """Join data sets: write one manifest from several.

    Images keep their part and group. Those without a part are divided by patient. What a manifest
    marks as "validate" in its column "use" is never trained on: it goes to the test part. Images
    of other classes are left out. The licences of what was joined are printed.

    \b
    Example:
      brain-data join DATA/manifest.csv DATA/external/manifest.csv --dataset brisc2025 \\
          --dataset tcia_btp --hold-out tcia_btp/btp09 --output DATA/joined.csv
    """
    if val + test >= 1:
        raise click.UsageError("--val and --test leave nothing to train on")
    from edge_infer.errors import NoInputs
    from train.data.manifest_csv import write_manifest
    from train.data.problems import refuse
    from train.data.source_rows import read_sources
    from train.data.verification import missing_masks, verified
    from train.splits.division_text import division_text, lacking_text, sharing_text
    from train.splits.joining import join as join_rows
    from train.splits.joining_text import sources_text, unknown_text, validation_text

    sources = read_sources(manifests, datasets=datasets)
    if unknown := unknown_text(sources):
        say(unknown)
    if not sources.rows:
        raise NoInputs("the manifests hold no image of a known class", hint="check the manifests")
    say_classes([row.sample for row in sources.rows])
    joined = join_rows(
        sources.rows, fractions=(1 - val - test, val, test), seed=seed, held_out=held_out
    )
    with progress_bar("Reading") as progress:
        readable, problems = verified(joined, progress)
    problems += missing_masks(joined)
    refuse(problems, what="the data sets cannot be joined", hint="correct or remove them")
    write_manifest(output, readable, says_negative=sources.says_negative)
    click.echo(sources_text(sources, joined), nl=False)
    click.echo(division_text(joined), nl=False)
    if only := validation_text(sources):
        say(only)
    if lacking := lacking_text(joined):
        say(
            f"warning: there is no image of {lacking}; brain-train needs images of all classes in train and val"
        )
    if sharing := sharing_text(joined):
        say(f"warning: the parts leak: {sharing} share a patient or a group with an earlier part")
