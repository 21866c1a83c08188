"""Rows as Parquet, behind the extra ``scale``: typed columns, compressed by zstd, the same bytes for the same rows."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Self

from edge_infer.batch.columns import NAMES
from edge_infer.batch.hashed_file import HashedFile
from edge_infer.batch.metadata import Metadata
from edge_infer.batch.row import FIELDS, Row
from edge_infer.errors import DataRefused, MissingDependency, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.plain_json import why

__all__ = ["ParquetWriter", "need_pyarrow", "parquet_metadata", "read_parquet"]

_KEY = b"brain_edge"
#: Rows that are held until they are written; with embeddings about 20 MB.
_GROUP = 8192
#: Rows that are read at once.
_BATCH = 1024


class ParquetWriter:
    """Writes rows to a file; on leaving the last group and the footer.

    Args:
        file: Stays open.
        metadata: Of the rows.

    Raises:
        MissingDependency: pyarrow is not installed.
    """

    def __init__(self, file: HashedFile, metadata: Metadata) -> None:
        need_pyarrow()
        from pyarrow import parquet

        self._schema = _schema().with_metadata({_KEY: metadata.rendered()})
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._held: list[Row] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what is held; after an error nothing, for the file is thrown away."""
        if kind is None:
            self._write()
        self._writer.close()

    def add(self, row: Row) -> None:
        """Write a row of ``plain_row``, now or with those that follow."""
        self._held.append(row)
        if len(self._held) == _GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow

        if self._held:
            self._writer.write_batch(
                pyarrow.RecordBatch.from_pylist(self._held, self._schema), row_group_size=_GROUP
            )
            self._held.clear()


def need_pyarrow() -> None:
    """Refuse to go on without pyarrow.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401 -- whether it is there
    except ImportError as error:
        raise MissingDependency(
            "Parquet needs pyarrow, which is not installed",
            hint="pip install 'brain-edge[scale]', or use JSON lines: --format jsonl",
        ) from error


def parquet_metadata(path: Path) -> Metadata:
    """Read what all rows of a file share.

    Raises:
        MissingDependency: pyarrow is not installed.
        UnreadableInput: The file cannot be read.
        DataRefused: It is no Parquet file of this schema version.
    """
    with _opened(path) as file:
        return _metadata(path, file.schema_arrow)


def read_parquet(path: Path, columns: Collection[str] = NAMES) -> Iterator[Row]:
    """Yield the rows of a file.

    Args:
        path: The file.
        columns: Names of those that are wanted.

    Raises:
        MissingDependency: pyarrow is not installed.
        UnreadableInput: The file cannot be read.
        DataRefused: It is damaged, or no Parquet file of this schema version.
    """
    import pyarrow

    with _opened(path) as file:
        _metadata(path, file.schema_arrow)
        batches = file.iter_batches(_BATCH, columns=list(columns), use_threads=False)
        try:
            for batch in batches:
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise _damaged(path) from error


def _opened(path: Path) -> Any:
    need_pyarrow()
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise _damaged(path) from error
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(path)}: cannot be read ({error.strerror or type(error).__name__})",
            hint="check the path and its permissions",
        ) from error


def _metadata(path: Path, schema: Any) -> Metadata:
    try:
        metadata = Metadata.parsed((schema.metadata or {}).get(_KEY, b""))
    except ValueError as error:
        raise DataRefused(
            f"{shown_name(path)}: is not of brain-batch, or of another version: {why(error)}",
            hint="read it with the version of brain-edge that wrote it",
        ) from error
    if not schema.remove_metadata().equals(_schema()):
        raise DataRefused(
            f"{shown_name(path)}: has other columns than those of its version",
            hint="name the files as brain-batch wrote them",
        )
    return metadata


def _damaged(path: Path) -> DataRefused:
    return DataRefused(
        f"{shown_name(path)}: is no Parquet file, or is damaged", hint="copy the file again"
    )


def _schema() -> Any:
    import pyarrow

    types = {
        "string": pyarrow.string(),
        "int64": pyarrow.int64(),
        "int32": pyarrow.int32(),
        "float64": pyarrow.float64(),
        "strings": pyarrow.list_(pyarrow.string()),
        "floats": pyarrow.list_(pyarrow.float64()),
        "float32s": pyarrow.list_(pyarrow.float32()),
    }
    return pyarrow.schema([(name, types[kind]) for name, kind, _ in FIELDS])
