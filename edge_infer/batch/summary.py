"""A run summed up from its partitions' statistics, one after another: summary.json and report.html."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_infer.batch.metadata import Metadata
from edge_infer.batch.page import page_of
from edge_infer.batch.partition_files import STATISTICS, part_name, part_numbers, read_statistics
from edge_infer.batch.run_file import read_run
from edge_infer.batch.totals import Totals
from edge_infer.batch.whole_files import written_whole
from edge_infer.errors import DataRefused, NoInputs, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object, why

__all__ = [
    "REPORT",
    "SUMMARY",
    "SUMMARY_SCHEMA_VERSION",
    "Summary",
    "ended_partitions",
    "is_complete",
    "summarize",
]

SUMMARY, REPORT = "summary.json", "report.html"
SUMMARY_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in numbers.

    Attributes:
        metadata: What its rows share.
        partitions: How many are finished.
        planned_partitions: How many there are.
        units: How many the finished ones have.
        planned_units: How many there are.
        counts: Of ``Counts.as_json``.
        throughput: Of ``Throughput.as_json``.
        workers: By name, their ``partitions``, ``units`` and ``seconds``.
        size_bytes: By format, of all files of rows.
        left_out: What was met and is no unit, in words.
        request: What was asked for, of run.json; empty where only partitions were written.
    """

    metadata: Metadata
    partitions: int
    planned_partitions: int
    units: int
    planned_units: int
    counts: Mapping[str, Any]
    throughput: Mapping[str, Any] | None
    workers: Mapping[str, Mapping[str, float]]
    size_bytes: Mapping[str, int]
    left_out: tuple[str, ...]
    request: Mapping[str, Any]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.partitions == self.planned_partitions

    @property
    def accepted(self) -> int:
        """Answers of images and slices that are accepted."""
        return sum(one.get("accept", 0) for one in self.counts["labels"].values())

    @property
    def abstained(self) -> int:
        """Answers of images and slices that are not accepted."""
        return sum(one.get("abstain", 0) for one in self.counts["labels"].values())

    @property
    def failed(self) -> int:
        """Rows without an answer for which somebody should look at the file."""
        return sum(one["count"] for one in self.counts["failures"].values())

    @property
    def refused(self) -> int:
        """Files of scans that are intact and not for the model."""
        return sum(one["count"] for one in self.counts["refused"].values())

    @property
    def answered(self) -> int:
        """Images and slices with an answer."""
        return self.accepted + self.abstained

    @property
    def has_failures(self) -> bool:
        """Whether somebody should look at it; refused files are no failure beside others that have answers."""
        return bool(self.failed or (self.refused and not self.answered))

    def as_json(self) -> dict[str, Any]:
        """Return what summary.json holds."""
        fields = asdict(self)
        metadata = fields.pop("metadata")
        own = {"schema_version": SUMMARY_SCHEMA_VERSION, "is_complete": self.is_complete}
        totals = {
            name: getattr(self, name) for name in ("accepted", "abstained", "failed", "refused")
        }
        shared = {name: metadata[name] for name in metadata if name != "schema_version"}
        return {**own, **shared, **totals, **fields}


def summarize(output: Path) -> Summary:
    """Sum up a run, and write its summary.json and report.html; a run that has not ended is one so far.

    In memory are numbers: 24 bytes for each partition, 40 more for each time it was interrupted, and names of planes,
    devices, codes and workers.

    Args:
        output: Of the run.

    Raises:
        NoInputs: No partition is finished.
        UnreadableInput: A file cannot be read.
        DataRefused: A file is damaged, or of another run.
        CannotWrite: A file cannot be written, or run.json is damaged.
    """
    run = read_run(output)
    totals = Totals()
    for name, fields in _statistics(output / STATISTICS):
        try:
            totals.add(name, fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _damaged(name, error) from error
    if totals.metadata is None:
        raise NoInputs(
            f"{shown_name(output)}: no partition is finished",
            hint="give the brain-batch command again",
        )
    summary = Summary(
        metadata=totals.metadata,
        partitions=totals.partitions,
        planned_partitions=run.partitions if run else totals.partitions,
        units=totals.units,
        planned_units=run.units if run else totals.units,
        counts=totals.counts.as_json(),
        throughput=totals.throughput.as_json(),
        workers=dict(sorted(totals.workers.items())),
        size_bytes=dict(sorted(totals.sizes.items())),
        left_out=run.left_out if run else (),
        request=run.as_json()["request"] if run else {},
    )
    shown = summary.as_json()
    with written_whole(output / REPORT, has_other_writers=True) as file:
        file.write(page_of(shown).encode())
    with written_whole(output / SUMMARY, has_other_writers=True) as file:
        file.write(f"{json.dumps(shown, indent=2, allow_nan=False)}\n".encode())
    return summary


def is_complete(output: Path) -> bool:
    """Whether ``summarize`` has found every partition of a run finished."""
    return ended_partitions(output) > 0


def ended_partitions(output: Path) -> int:
    """Return how many partitions a run has, according to its summary; 0 if that does not say it has ended."""
    try:
        fields = parse_object((output / SUMMARY).read_bytes())
    except (OSError, ValueError):
        return 0
    planned = fields.get("planned_partitions")
    return planned if isinstance(planned, int) and fields.get("is_complete") is True else 0


def _statistics(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in part_numbers(folder, ".json"):
        path = folder / f"{part_name(number)}.json"
        try:
            yield shown_name(path), read_statistics(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        except ValueError as error:
            raise _damaged(shown_name(path), error) from error


def _damaged(name: str, error: Exception) -> DataRefused:
    return DataRefused(
        f"{name}: is damaged, or of another version ({why(error)})",
        hint="remove it and give the brain-batch command again: that partition is done again",
    )


def _unreadable(path: Path, error: OSError) -> UnreadableInput:
    return UnreadableInput(
        f"{shown_name(path)}: cannot be read ({error.strerror})", hint="check its permissions"
    )
