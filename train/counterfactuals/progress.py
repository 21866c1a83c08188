"""How far the making of images is: a bar on a terminal, lines in a log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from train.data.samples import Progress

__all__ = ["reported"]

logger = logging.getLogger(__name__)

_TENTHS = 10


@contextmanager
def reported(what: str) -> Iterator[Progress]:
    """Show progress while images are made, and nothing if they exist already.

    Args:
        what: The images, such as ``counterfactual images``.

    Yields:
        A function that is called with (done, total): it moves a bar on a terminal, elsewhere it logs a line each tenth.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: _log_tenths(what, done, total)
        return
    # The delay keeps a bar away that would never move.
    with tqdm(desc=f"making {what}", unit="image", delay=1, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _log_tenths(what: str, done: int, total: int) -> None:
    tenth = done * _TENTHS // total
    if tenth > (done - 1) * _TENTHS // total:
        logger.info("%s: %d of %d made (%d %%)", what, done, total, 100 // _TENTHS * tenth)
