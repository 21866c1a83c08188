"""The results that ``brain-drift`` reads: outputs of ``brain-batch``, or lines of ``brain-infer --json``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.batch.reading import read_metadata, read_rows
from edge_infer.drift.gathering import observe
from edge_infer.drift.observing import Answer, Observations
from edge_infer.drift.rows import COLUMNS, answer_of_line, answer_of_row
from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object, why

__all__ = ["Results", "read_results"]

_LONGEST_LINE = 2**24
_IMAGES = ("image", "slice")


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
        paths: All of ``brain-batch``, or all of ``brain-infer --json``.

    Raises:
        NoInputs: There is no row.
        UnreadableInput: A file cannot be read.
        DataRefused: They are of two bundles or of both commands, or damaged.
        MissingDependency: They are Parquet, and pyarrow is not installed.
    """
    of_infer = [path for path in paths if _is_of_infer(path)]
    if not of_infer:
        return _of_batch(paths)
    if len(of_infer) < len(paths):
        raise DataRefused(
            "some results are of brain-batch and some of brain-infer",
            hint="compare those of one command: brain-infer keeps no image statistics",
        )
    return _of_infer(paths)


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
        for number, (place, line) in enumerate(_lines(paths)):
            failed += line.get("status") == "error"
            if line.get("status") != "ok":
                continue
            try:
                if not model:
                    model, labels = dict(line["model"]), tuple(line["probabilities"])
                is_other = line["model"]["manifest_sha256"] != model["manifest_sha256"]
                answer = answer_of_line(line, number, labels)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataRefused(
                    f"{place} is no line of brain-infer --json", hint="copy the file again"
                ) from error
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


def _is_of_infer(path: Path) -> bool:
    """Whether the first line of a file has no ``unit``, as every row of ``brain-batch`` has."""
    if not path.is_file() or path.suffix == ".parquet":
        return False
    return next(("unit" not in line for _, line in _lines([path])), False)


def _lines(paths: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in paths:
        try:
            with path.open("rb") as file:
                number = 0
                while line := file.readline(_LONGEST_LINE):
                    number += 1
                    place = f"{shown_name(path)}: line {number}"
                    if not line.endswith(b"\n"):
                        raise DataRefused(
                            f"{place} is torn: it has no end", hint="copy the file again"
                        )
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
