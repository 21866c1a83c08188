"""Rows of finished runs, whatever format they are in: one bundle, one order of the numbers."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_infer.batch.columns import NAMES
from edge_infer.batch.json_lines import json_lines_metadata, read_json_lines
from edge_infer.batch.metadata import Metadata
from edge_infer.batch.parquet import parquet_metadata, read_parquet
from edge_infer.batch.partition_files import PARTS, part_name, part_numbers
from edge_infer.batch.plan import holds_run
from edge_infer.batch.row import Row
from edge_infer.batch.summary import ended_partitions
from edge_infer.errors import DataRefused, NoInputs
from edge_infer.names import shown_name

__all__ = ["read_metadata", "read_rows", "row_files"]


def read_metadata(paths: Sequence[Path]) -> Metadata:
    """Return what all rows of some results share; ``run_id`` is empty where they are of several runs.

    Args:
        paths: Outputs of brain-batch, folders of parts, or files: Parquet, or JSON lines with their
            ``_metadata.json``.

    Raises:
        NoInputs: There is no file of rows.
        UnreadableInput: A file cannot be read.
        DataRefused: They are of different bundles, of another schema version, damaged, or of a run that has not
            ended or lacks files.
        MissingDependency: They are Parquet, and pyarrow is not installed.
    """
    return _shared(_sources(paths))


def read_rows(paths: Sequence[Path], *, columns: Collection[str] = NAMES) -> Iterator[Row]:
    """Yield the rows of some results, in order of ``paths``, partition, unit and row.

    Args:
        paths: As for ``read_metadata``.
        columns: Names of those that are wanted; reading few is faster.

    Raises:
        NoInputs: As ``read_metadata``, before the first row; so are the others.
        DataRefused: Also while reading: a torn last line, a damaged file.
        UnreadableInput: A file cannot be read.
        MissingDependency: They are Parquet, and pyarrow is not installed.
    """
    unknown = sorted(set(columns) - set(NAMES))
    if unknown:
        raise ValueError(f"no such columns: {', '.join(unknown)}")
    sources = _sources(paths)
    _shared(sources)
    wanted = [name for name in NAMES if name in columns]
    return (row for source in sources for row in source.rows(wanted))


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path

    @property
    def _is_parquet(self) -> bool:
        return self.path.suffix == ".parquet"

    def metadata(self) -> Metadata:
        return (parquet_metadata if self._is_parquet else json_lines_metadata)(self.path)

    def rows(self, columns: Collection[str]) -> Iterator[Row]:
        if self._is_parquet:
            return read_parquet(self.path, columns)
        return read_json_lines(self.path, json_lines_metadata(self.path), columns)


def _sources(paths: Sequence[Path]) -> list[_Source]:
    sources = [_Source(file) for path in paths for file in row_files(Path(path))]
    if not sources:
        raise NoInputs(
            f"{', '.join(map(shown_name, paths))}: no rows of brain-batch",
            hint="name the output of brain-batch, or files of its folder parts/",
        )
    return sources


def row_files(path: Path) -> list[Path]:
    """Return the files of rows of an output, or the file itself.

    Args:
        path: A file of rows, a folder of them, or the output of a run.

    Raises:
        DataRefused: The run has not ended, or lacks a part.
    """
    if not path.is_dir():
        return [path]
    planned = 0
    if holds_run(path):
        planned = ended_partitions(path)
        if not planned:
            raise DataRefused(
                f"{shown_name(path)}: the run has not ended",
                hint="give the same brain-batch command again, or name files of parts/",
            )
        path /= PARTS
    found = {ending: part_numbers(path, ending) for ending in (".parquet", ".jsonl")}
    # A run may have written both; they hold the same.
    ending = max(found, key=lambda one: len(found[one]))
    numbers = set(found[ending])
    missing = next((number for number in range(planned) if number not in numbers), None)
    if missing is not None:
        raise DataRefused(
            f"{shown_name(path / part_name(missing))}{ending}: is missing, and the run has {planned:,} partitions",
            hint="give the same brain-batch command again: that partition is done again",
        )
    return [path / f"{part_name(number)}{ending}" for number in found[ending]]


def _shared(sources: Sequence[_Source]) -> Metadata:
    first, *others = (source.metadata() for source in sources)
    for source, other in zip(sources[1:], others, strict=True):
        if replace(other, run_id="") != replace(first, run_id=""):
            is_other = other.manifest_sha256 != first.manifest_sha256
            raise DataRefused(
                f"{shown_name(source.path)}: its rows are of another {'bundle' if is_other else 'version'} than those "
                f"of {shown_name(sources[0].path)}",
                hint="compare results of one bundle and version; brain-compare compares bundles",
            )
    return first if all(other == first for other in others) else replace(first, run_id="")
