"""The results that ``brain-drift`` reads: outputs of ``brain-batch``, or lines of ``brain-infer --json``."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.batch.json_lines import METADATA_FILE
from edge_infer.batch.partition_files import PARTS
from edge_infer.batch.reading import read_metadata, read_rows, row_files
from edge_infer.drift.gathering import observe
from edge_infer.drift.observing import Answer, Observations
from edge_infer.drift.rows import COLUMNS, answer_of_line, answer_of_row
from edge_infer.errors import DataRefused, MissingDependency, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object, why

__all__ = ["Results", "read_results", "refuse_shared"]

_LONGEST_LINE = 2**24
_IMAGES = ("image", "slice")
#: Of a line about an image or a file; the line of a series has none.
_STATES = ("ok", "error", "skipped")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Results, read.

    Attributes:
        seen: What is compared.
        manifest_sha256: Of the bundle that answered.
        model: Its model.
        labels: Its classes, in order.
        failed: Images without an answer.
        kind: ``brain-batch`` or ``brain-infer``.
    """

    seen: Observations
    manifest_sha256: str
    model: str
    labels: tuple[str, ...]
    failed: int
    kind: str


def read_results(paths: Sequence[Path]) -> Results:
    """Read results of one bundle.

    Args:
        paths: All of ``brain-batch``, or all of ``brain-infer --json``; each once.

    Raises:
        NoInputs: There is no file of rows.
        UnreadableInput: A file cannot be read.
        DataRefused: They are of two bundles or of both commands, given twice, or damaged.
        MissingDependency: They are Parquet, and pyarrow is not installed.
    """
    of_infer = [path for path in paths if _is_of_infer(path)]
    _each_once(_files(paths))
    if not of_infer:
        try:
            return _of_batch(paths)
        except MissingDependency as error:
            # Who reads has no format to choose, as brain-batch has.
            raise MissingDependency(
                error.message, hint="pip install 'brain-edge[scale]'"
            ) from error
    if len(of_infer) < len(paths):
        raise DataRefused(
            "some results are of brain-batch and some of brain-infer",
            hint="compare those of one command: brain-infer keeps no image statistics",
        )
    return _of_infer(paths)


def refuse_shared(paths: Sequence[Path], former: Sequence[Path]) -> None:
    """Refuse results that are compared with themselves: they would never show drift.

    Args:
        paths: As for ``read_results``.
        former: What they are compared with.

    Raises:
        DataRefused: A file is among both; so are the others of ``read_results``, but for what the rows hold.
        UnreadableInput: A file cannot be read.
    """
    older = {_place(path) for path in _files(former)}
    for path in _files(paths):
        if _place(path) in older:
            raise DataRefused(
                f"{shown_name(path)} is among RESULTS and among those of --against",
                hint="give older results with --against: compared with themselves, results never drift",
            )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from [path] if _is_of_infer(path) else row_files(path)


def _place(path: Path) -> Path:
    """Return what tells a file from others; the same rows may be there in both formats."""
    place = path.resolve()
    return place.with_suffix("") if place.parent.name == PARTS else place


def _each_once(files: Iterable[Path]) -> None:
    """Refuse results that are given twice: each image would count as two independent ones."""
    seen = set[Path]()
    for path in files:
        place = _place(path)
        if place in seen:
            raise DataRefused(f"{shown_name(path)} is given twice", hint="give all results once")
        seen.add(place)


def _of_batch(paths: Sequence[Path]) -> Results:
    metadata = read_metadata(paths)
    failed = 0

    def answers() -> Iterator[Answer]:
        nonlocal failed
        for number, path in enumerate(paths):
            for row in read_rows([path], columns=COLUMNS):
                failed += row["state"] == "failed" and row["kind"] in _IMAGES
                answer = answer_of_row(row, metadata.facts, number)
                if answer is not None:
                    yield answer

    seen = observe(answers())
    return Results(
        seen=seen,
        manifest_sha256=metadata.manifest_sha256,
        model=metadata.model,
        labels=metadata.labels,
        failed=failed,
        kind="brain-batch",
    )


def _of_infer(paths: Sequence[Path]) -> Results:
    failed, model, labels = 0, dict[str, Any](), tuple[str, ...]()

    def answers() -> Iterator[Answer]:
        nonlocal failed, model, labels
        for file, number, place, line in _numbered(paths):
            if line.get("status") not in _STATES and line.get("kind") != "series":
                raise _no_line(place)
            failed += line.get("status") == "error"
            if line.get("status") != "ok":
                continue
            try:
                if not model:
                    model, labels = _model(line), tuple(line["probabilities"])
                is_other = line["model"]["manifest_sha256"] != model["manifest_sha256"]
                answer = answer_of_line(line, number, labels, file=file)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _no_line(place) from error
            if is_other:
                raise DataRefused(
                    f"{place} is of another bundle than the lines before",
                    hint="keep the results of different bundles in files of their own",
                )
            yield answer

    seen = observe(answers())
    return Results(
        seen=seen,
        manifest_sha256=str(model.get("manifest_sha256", "")),
        model=str(model.get("name", "")),
        labels=labels,
        failed=failed,
        kind="brain-infer",
    )


def _numbered(paths: Sequence[Path]) -> Iterator[tuple[int, int, str, dict[str, Any]]]:
    """Yield all lines with the number of their file, and their own in it, each from 0."""
    for file, path in enumerate(paths):
        for number, (place, line) in enumerate(_lines(path)):
            yield file, number, place, line


def _model(line: dict[str, Any]) -> dict[str, Any]:
    """Return what a line says of its model; raises as ``answer_of_line``."""
    model = dict(line["model"])
    if not _DIGEST.fullmatch(model["manifest_sha256"]):
        raise ValueError("a digest has 64 hexadecimal digits")
    return model


def _no_line(place: str) -> DataRefused:
    return DataRefused(
        f"{place} is no line of brain-infer --json",
        hint="copy the file again, or give another; the audit log and CSV are not read",
    )


def _is_of_infer(path: Path) -> bool:
    """Whether the first line of a file has no ``unit``, as every row of ``brain-batch`` has."""
    if not path.is_file() or path.suffix == ".parquet":
        return False
    first = next(_lines(path), None)
    if first is None:  # a day without a scan; only what lies beside it says whose file it is
        return not path.with_name(METADATA_FILE).is_file()
    return "unit" not in first[1]


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the lines of a file, each with its place in words."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                place = f"{shown_name(path)}: line {number}"
                if not line.endswith(b"\n"):
                    raise DataRefused(f"{place} is torn: it has no end", hint="copy the file again")
                try:
                    yield place, parse_object(line)
                except ValueError as error:
                    raise DataRefused(
                        f"{place} is no JSON: {why(error)}", hint="copy the file again"
                    ) from error
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(path)}: cannot be read ({error.strerror})",
            hint="check the path and its permissions",
        ) from error
