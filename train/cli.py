"""``brain-train``: train classifiers, measure checkpoints and bundles. Its commands are in ``train.commands``."""

import logging
import sys

import click

from edge_infer.console import DefaultGroup
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.evaluate import evaluate
from train.commands.folds import folds
from train.commands.one_voice import hushed, refuse_several
from train.commands.pack import pack
from train.commands.probe import pointing, robustness
from train.commands.report import report
from train.commands.run import run
from train.commands.trust import trust
from train.commands.volumes import volumes

__all__ = ["main"]


@click.group("brain-train", cls=DefaultGroup, default="run", epilog=RESEARCH_USE_ONLY)
@click.option("-v", "--verbose", is_flag=True, help="Log each step to stderr.")
@click.pass_context
def main(context: click.Context, verbose: bool) -> None:
    """Train a classifier; evaluate checkpoints and bundles.

    The command "run" trains. Its name may be left out, as in the first example; its options are
    listed by "brain-train run --help".

    \b
    Example:
      brain-train --model cvt13 --data DATA --manifest DATA/manifest.csv --dataset brisc2025
      brain-train evaluate runs/cvt13-cvt13-cpu/checkpoint --data DATA --output runs/eval/brisc
    """
    context.obj = hushed()
    refuse_several(context.invoked_subcommand)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose or not sys.stderr.isatty() else logging.WARNING,
        format="%(asctime)s %(message)s",
    )
    for chatty in ("httpx", "matplotlib", "absl"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


for command in (run, evaluate, report, folds, pointing, robustness, volumes, trust, pack):
    main.add_command(command)


if __name__ == "__main__":
    main()
