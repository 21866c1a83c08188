"""The units of a partition that have no answer yet, one after the other; none of them ends the others."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from edge_infer.batch.alone import answer_alone, died_rows
from edge_infer.batch.inputs_there import names_missing_file, require_inputs
from edge_infer.batch.journal import Journal
from edge_infer.batch.loading import BundleSource, load_for
from edge_infer.batch.row import Row
from edge_infer.batch.run_file import RunFile
from edge_infer.batch.units import Unit
from edge_infer.errors import BrainError

__all__ = ["answer_rest"]

#: After so many starts a unit gets its row, though no watcher survived one: it may end the whole machine. Many, since
#: somebody may be ending drivers again and again.
_MOST_STARTS = 10


def answer_rest(
    journal: Journal,
    units: Sequence[tuple[int, Unit]],
    run: RunFile,
    source: BundleSource,
    on_unit: Callable[[], None],
) -> None:
    """Answer what the journal lacks.

    Raises:
        UnreadableInput: The inputs went away meanwhile; the journal holds no row that says so of a file.
        BrainError: Something else concerns more than one unit.
    """
    while rest := [(number, unit) for number, unit in units if number not in journal.finished]:
        begun = set(journal.starts)
        try:
            for number, rows in _answers(journal, rest, begun, run, source):
                if journal.error is not None:
                    raise journal.error
                if names_missing_file(rows):
                    require_inputs(run.request.inputs)
                journal.finish(number, rows)
                on_unit()
        except BrainError:
            raise
        except Exception:
            # A reader's bug, which in an archive of millions must not end the others: the unit is tried again, alone.
            if not set(journal.starts) - begun:
                raise


def _answers(
    journal: Journal,
    rest: Sequence[tuple[int, Unit]],
    begun: set[int],
    run: RunFile,
    source: BundleSource,
) -> Iterator[tuple[int, list[Row]]]:
    from edge_infer.batch.answering import answer_units

    for was_begun, group in groupby(rest, key=lambda one: one[0] in begun):
        if not was_begun:
            yield from answer_units(
                load_for(run.request, source),
                group,
                on_start=journal.start,
                embeddings=run.request.embeddings,
                despite=run.request.despite,
                timeout_s=run.request.timeout_s,
            )
            continue
        for number, unit in group:
            if journal.starts[number] >= _MOST_STARTS:
                yield number, died_rows(number, unit, f"{_MOST_STARTS} starts")
                continue
            journal.start(number)
            yield number, answer_alone(run, source, number, unit)
