"""The files of a partition: its rows in each format, then its statistics, which say that it is finished."""

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from edge_infer.batch.columns import plain_row
from edge_infer.batch.hashed_file import HashedFile
from edge_infer.batch.json_lines import METADATA_FILE, JsonLinesWriter
from edge_infer.batch.metadata import Metadata
from edge_infer.batch.parquet import ParquetWriter
from edge_infer.batch.row import Row
from edge_infer.batch.statistics import STATISTICS_SCHEMA_VERSION, Counts, Statistics
from edge_infer.batch.whole_files import written_whole
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object

__all__ = [
    "FORMATS",
    "PARTS",
    "STATISTICS",
    "Format",
    "is_finished",
    "part_name",
    "part_numbers",
    "read_statistics",
    "write_partition",
]

Format = Literal["parquet", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)

#: Folders within the output of a run.
PARTS, STATISTICS = "parts", "statistics"

_STATISTICS_FIELDS = {
    *("schema_version", "partition", "counts", "files", "metadata"),
    *Statistics.__dataclass_fields__,
}

_WRITERS: Mapping[Format, type[ParquetWriter] | type[JsonLinesWriter]] = {
    "parquet": ParquetWriter,
    "jsonl": JsonLinesWriter,
}


def part_name(number: int) -> str:
    """Return the name of a partition, without the ending of a format: ``part-000000``."""
    return f"part-{number:06d}"


def part_numbers(folder: Path, ending: str) -> list[int]:
    """Return which partitions have a file with this ending in a folder, in order; none if there is no folder."""
    if not folder.is_dir():
        return []
    names = (path.name for path in folder.glob(f"part-*{ending}"))
    digits = (name.removeprefix("part-").removesuffix(ending) for name in names)
    return sorted(int(number) for number in digits if number.isascii() and number.isdecimal())


def write_partition(
    output: Path,
    number: int,
    rows: Iterable[Row],
    *,
    formats: Collection[Format],
    metadata: Metadata,
    statistics: Statistics,
) -> None:
    """Write the rows of a partition, each file whole or not at all, and last its statistics.

    The caller holds the partition's lock. Rows are written as they come: in memory are some thousand.

    Args:
        output: Of the run.
        number: Of the partition.
        rows: In order.
        formats: What to write; the same rows give the same bytes.
        metadata: What all rows of the run share.
        statistics: What the rows do not say.

    Raises:
        MissingDependency: Parquet is asked for, and pyarrow is not installed.
        CannotWrite: A file cannot be written.
        ValueError: A row is not as ``FIELDS`` says.
    """
    counts, parts = Counts(), output / PARTS
    paths = {
        ending: parts / f"{part_name(number)}.{ending}" for ending in FORMATS if ending in formats
    }
    if "jsonl" in paths:
        _write_once(parts / METADATA_FILE, metadata.rendered())
    with ExitStack() as files:
        hashed = {
            ending: HashedFile(files.enter_context(written_whole(path)))
            for ending, path in paths.items()
        }
        with ExitStack() as stack:
            writers: list[ParquetWriter | JsonLinesWriter] = []
            for ending, into in hashed.items():
                writers.append(_WRITERS[ending](into, metadata))
                stack.enter_context(writers[-1])
            for row in rows:
                plain = plain_row(row)
                counts.add(plain)
                for writer in writers:
                    writer.add(plain)
    fields = {
        "schema_version": STATISTICS_SCHEMA_VERSION,
        "partition": number,
        **asdict(statistics),
        "counts": counts.as_json(),
        "files": {paths[ending].name: into.as_json() for ending, into in hashed.items()},
        "metadata": metadata.as_json(),
    }
    with written_whole(output / STATISTICS / f"{part_name(number)}.json") as file:
        file.write(f"{json.dumps(fields, allow_nan=False)}\n".encode())


def is_finished(output: Path, number: int, metadata: Metadata) -> bool:
    """Whether the files of a partition are there, whole and of this run, so that nothing is left to do.

    Their content is not read again.
    """
    try:
        fields = read_statistics(output / STATISTICS / f"{part_name(number)}.json")
        sizes = {name: file["size_bytes"] for name, file in fields["files"].items()}
        is_whole = all(
            (output / PARTS / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return is_whole and fields["metadata"] == metadata.as_json()


def read_statistics(path: Path) -> dict[str, Any]:
    """Read the statistics of a partition.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is something else, or of another schema version.
    """
    fields = parse_object(path.read_bytes())
    if fields.get("schema_version") != STATISTICS_SCHEMA_VERSION:
        raise ValueError(f"has schema version {fields.get('schema_version')!r}")
    fields.setdefault("spells", [])  # there were none in the first ones of this schema version
    if fields.keys() != _STATISTICS_FIELDS:
        raise ValueError("has other fields than statistics")
    return fields


def _write_once(path: Path, data: bytes) -> None:
    """Write what all partitions share, unless it is there."""
    if _holds(path, data):
        return
    try:
        with written_whole(path, has_other_writers=True) as file:
            file.write(data)
    except CannotWrite:  # Windows replaces no file that another worker is reading: then it is there
        if not _holds(path, data):
            raise


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there.

    Raises:
        CannotWrite: It holds something else.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if path.read_bytes() == data:
            return True
        raise CannotWrite(
            f"{shown_name(path)}: belongs to another run", hint="name a new folder for the output"
        )
    return False
