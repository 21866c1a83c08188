"""One partition, from its plan to its finished files; safe to end at any moment, and to begin again anywhere."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_infer.batch.held import WORK, held
from edge_infer.batch.inputs_there import require_inputs
from edge_infer.batch.journal import Journal, JournalSpoiled, remove_journal
from edge_infer.batch.loading import BundleSource
from edge_infer.batch.metadata import Metadata
from edge_infer.batch.partition_files import is_finished, part_name, write_partition
from edge_infer.batch.plan import planned_units
from edge_infer.batch.run_file import RunFile, read_run
from edge_infer.batch.statistics import Statistics
from edge_infer.batch.unit_answers import answer_rest
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name

__all__ = ["Order", "journal_path", "metadata_of", "run_partition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a worker is told beside a partition's number; all else is in run.json.

    Attributes:
        run_id: Of the run, which run.json must name.
        source: Where the bundle lies.
        worker: Name of the worker, for the statistics.
    """

    run_id: str
    source: BundleSource
    worker: str


def run_partition(
    output: Path,
    number: int,
    order: Order,
    *,
    on_unit: Callable[[], None] = lambda: None,
) -> int:
    """Answer what is left of a partition, and write its files; nothing happens if they are there.

    Args:
        output: Folder of the run.
        number: Of the partition.
        order: Which run it is.
        on_unit: Called after each unit that was answered.

    Returns:
        How many units it has.

    Raises:
        OutputLocked: Another process works on this partition.
        CannotWrite: The output cannot be written, is not the run's, or another machine wrote this partition, too.
        UnreadableInput: This machine does not see the plan or the inputs.
        BundleError: The bundle or this package is not what the run began with.
    """
    run = _run_of(output, order.run_id)
    metadata = metadata_of(run)
    units = list(planned_units(output, number))
    path = journal_path(output, number)
    with held(output, part_name(number)):
        if is_finished(output, number, metadata):
            remove_journal(path)
            return len(units)
        require_inputs(run.request.inputs)
        started = time.time()
        try:
            with Journal(path, run.run_id) as journal:
                kept = len(journal.finished)
                answer_rest(journal, units, run, order.source, on_unit)
                statistics = Statistics(
                    units=len(units),
                    started=started,
                    seconds=time.time() - started,
                    worker=order.worker,
                    kept=kept,
                    spells=tuple(journal.spells),
                )
                write_partition(
                    output,
                    number,
                    journal.rows([number for number, _ in units]),
                    formats=run.request.formats,
                    metadata=metadata,
                    statistics=statistics,
                )
        except JournalSpoiled as error:
            remove_journal(path)
            raise CannotWrite(
                f"{shown_name(output)}: two machines wrote one partition, since locks end at a machine here",
                hint="give each machine a shard of its own, or mount the output with locks (flock)",
            ) from error
        remove_journal(path)  # only now: Windows removes no open file
    return len(units)


def journal_path(output: Path, number: int) -> Path:
    """Return where the journal of a partition lies while it is being worked on."""
    return output / WORK / f"{part_name(number)}.jsonl"


def metadata_of(run: RunFile) -> Metadata:
    """Return what all rows of a run share."""
    from edge_infer.drift.image_facts import FACTS

    return Metadata(
        manifest_sha256=run.request.manifest_sha256,
        model=run.model,
        precision=run.precision,
        labels=run.labels,
        facts=FACTS,
        run_id=run.run_id,
    )


def _run_of(output: Path, run_id: str) -> RunFile:
    run = read_run(output)
    if run is None or run.run_id != run_id:
        found = "holds no run" if run is None else "holds another run"
        raise CannotWrite(
            f"{shown_name(output)}: {found} on this machine",
            hint="all workers need the folder of --output, under the same path",
        )
    return run
