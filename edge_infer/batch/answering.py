"""Units in, rows out, one unit after the other; what is amiss with one of them is its own row and ends no other."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator

from edge_infer.batch.answer_rows import failed_row, image_row, numbered
from edge_infer.batch.contents import Contents, shown_place
from edge_infer.batch.facts_aside import FactsAside
from edge_infer.batch.row import Row
from edge_infer.batch.study_rows import study_rows
from edge_infer.batch.units import Unit
from edge_infer.classifier import Classifier
from edge_infer.errors import (
    BrainError,
    InferenceFailed,
    InputError,
    InputOverLimit,
    NonFiniteOutput,
    TimedOut,
)
from edge_infer.image_file import SourceImage, open_named
from edge_infer.names import shown_name
from edge_infer.reading_time import check_seconds, read_within
from edge_infer.system_errors import as_brain_error

__all__ = ["answer_units"]

#: What says something about the unit. Anything else, such as a package that is missing, is wrong with the machine or
#: the bundle, and would say so of every unit.
_OF_A_UNIT = (InputError, InferenceFailed, NonFiniteOutput, TimedOut)


def answer_units(
    classifier: Classifier,
    units: Iterable[tuple[int, Unit]],
    *,
    on_start: Callable[[int], None],
    embeddings: bool,
    despite: Collection[str] = (),
    timeout_s: float | None = None,
) -> Iterator[tuple[int, list[Row]]]:
    """Answer units lazily; the same units give the same rows.

    Args:
        classifier: Answers images one at a time.
        units: With their numbers.
        on_start: Given a unit's number right before anything of it is read. The unit before was yielded by then.
        embeddings: Whether rows hold embeddings.
        despite: Refusals of scans to overrule, values of ``edge_infer.refusals.OVERRULABLE``.
        timeout_s: Seconds that reading an image or a slice may take. How long the graph may run is the classifier's.

    Yields:
        The number and the rows of each unit, at least one; a unit without an answer has a row that says why.

    Raises:
        MissingDependency: A whole kind of scan or URL cannot be read here.
        BrainError: The bundle or the machine is not what it was; nothing about the unit.
    """
    limit = check_seconds(timeout_s)
    asked = FactsAside(classifier, embeddings=embeddings)
    contents = Contents()
    for number, unit in units:
        on_start(number)
        yield number, numbered(number, _rows(asked, contents, unit, despite, limit))


def _rows(
    asked: FactsAside,
    contents: Contents,
    unit: Unit,
    despite: Collection[str],
    limit: float | None,
) -> list[Row]:
    try:
        if unit.kind == "image":
            return [_image(asked, contents, unit, limit)]
        contents.let_go()
        return list(study_rows(asked, unit, despite=despite, timeout_s=limit))
    except _OF_A_UNIT as error:
        return [failed_row(unit, error)]
    except MemoryError:
        name = shown_name(shown_place(unit))
        return [failed_row(unit, InputOverLimit(f"{name}: there is not enough memory"))]
    except OSError as error:
        told = as_brain_error(error)
        if not isinstance(told, InputError):
            raise
        return [failed_row(unit, told)]


def _image(asked: FactsAside, contents: Contents, unit: Unit, limit: float | None) -> Row:
    name = shown_place(unit)
    read: list[bytes] = []

    def open_image() -> SourceImage:
        content = contents.read(unit)
        read.append(content)
        return open_named(content, name)

    try:
        source = read_within(limit, open_image, name)
    except TimedOut:  # when it was read does not matter any more
        raise
    except _OF_A_UNIT as error:
        return failed_row(unit, error, sha256=_digest(read[0]) if read else None)
    asked.take()
    outcome = next(asked.predict_each([source]))
    if outcome.prediction is None:
        cause = outcome.error or BrainError(f"{shown_name(name)}: no answer")
        if not isinstance(cause, _OF_A_UNIT):
            raise cause
        return failed_row(unit, cause, sha256=source.sha256)
    return image_row(unit, outcome.prediction, asked.take()[0])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
