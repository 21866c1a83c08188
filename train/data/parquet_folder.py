"""A Hugging Face ``datasets`` folder: parquet files with the columns ``image`` and ``label``.

``image`` is a struct of ``bytes`` and ``path`` (or plain bytes); ``label`` is a class name, or a
number that the schema's ``huggingface`` metadata names. The split is in the name of the file
(``train-00000-of-00001.parquet``) or of its folder (``train/0000.parquet``).
"""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from train.data.class_choice import ClassChoice
from train.data.labelling import Labelling, labelling
from train.data.samples import Sample
from train.data.split_names import split_of

__all__ = ["find_parquet_files", "read_parquet_files"]

_BATCH_ROWS = 256


def find_parquet_files(root: Path) -> list[Path]:
    """List the parquet files of ``root``, sorted: itself, ``data/`` and one folder further down."""
    return sorted({*root.glob("*.parquet"), *root.glob("*/*.parquet"), *root.glob("*/*/*.parquet")})


def read_parquet_files(
    root: Path, files: list[Path], *, choice: ClassChoice | None = None
) -> tuple[list[Sample], list[str]]:
    """Read every row; the images stay encoded and are not opened.

    Args:
        root: Folder of the data set.
        files: As ``find_parquet_files`` lists them.
        choice: What is asked of its classes; default: they are its own.

    Returns:
        The samples, and one line for each file, class or row that cannot be used.
    """
    samples: list[Sample] = []
    problems: list[str] = []
    known = labelling((label for file in files for label in _labels(file)), choice)
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            samples += _rows(file, name, shown_name(root.resolve().name), known, problems)
        except DataRefused as error:
            problems.append(f"{name}: {error.message}")
    return samples, problems


def _labels(file: Path) -> set[str]:
    """Return the names of a file's classes; none if it cannot be read, which is said later."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            names = _class_names(table.schema_arrow)
            if names is None:
                names = table.read(columns=["label"])["label"].unique().to_pylist()
            return {str(name) for name in names if name is not None}
    except (DataRefused, OSError, pyarrow.ArrowException):
        return set()


def _rows(
    file: Path, name: str, dataset: str, known: Labelling, problems: list[str]
) -> Iterator[Sample]:
    import pyarrow
    import pyarrow.parquet

    split = split_of(file.stem.split("-")[0]) or split_of(file.parent.name) or ""
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            names = _class_names(table.schema_arrow)
            class_ids = None if names is None else [known.id_of(each) for each in names]
            rows = chain.from_iterable(
                batch.to_pylist()
                for batch in table.iter_batches(_BATCH_ROWS, columns=["image", "label"])
            )
            for number, row in enumerate(rows):
                try:
                    yield Sample(
                        source=_content(row["image"]),
                        name=f"{name}#{number}",
                        label=_class_id(row["label"], class_ids, known),
                        classes=known.classes,
                        split=split,
                        dataset=dataset,
                    )
                except DataRefused as error:
                    problems.append(f"{name}#{number}: {error.message}")
    except (OSError, pyarrow.ArrowException) as error:
        raise DataRefused(f"cannot be read as parquet ({error})") from error


def _class_names(schema: Any) -> list[str] | None:
    """Return the classes' names in the order of the table's label numbers; None if labels are names."""
    import pyarrow.types

    missing = [column for column in ("image", "label") if column not in schema.names]
    if missing:
        raise DataRefused(f"found no column {', '.join(missing)}, expected image and label")
    if not pyarrow.types.is_integer(schema.field("label").type):
        return None
    try:
        metadata = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in metadata["info"]["features"]["label"]["names"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataRefused(
            "labels are numbers, and the huggingface metadata does not name them"
        ) from error


def _class_id(label: str | int | None, class_ids: list[int] | None, known: Labelling) -> int:
    if class_ids is None:
        return known.id_of(str(label))
    # The library datasets writes -1 for an unknown label.
    if not isinstance(label, int) or not 0 <= label < len(class_ids):
        raise DataRefused(f"label is {label}, expected 0..{len(class_ids) - 1}")
    return class_ids[label]


def _content(image: Any) -> bytes:
    content = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(content, bytes) or not content:
        raise DataRefused("holds no encoded image, expected bytes in the column image")
    return content
