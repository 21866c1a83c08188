"""The audit log of a program that answers: what was asked, what was answered, by which model and which software."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edge_infer.audit.entries import (
    Entry,
    digest_of,
    error_entry,
    facts_before_loading,
    facts_of,
    image_entry,
    series_entries,
)
from edge_infer.audit.file import MAX_BYTES, AuditFile
from edge_infer.errors import BrainError, OutputError

if TYPE_CHECKING:
    from edge_infer.classifier import Classifier, Outcome
    from edge_infer.prediction import Prediction
    from edge_infer.series.result import SeriesResult

__all__ = ["AuditLog", "failures_recorded"]

_PROGRAM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LEAST_BYTES = 4096


class AuditLog:
    """Records answers, refusals and failures, each before it is given out.

        log = AuditLog("audit.jsonl").of(classifier)
        for outcome in classifier.predict_each(paths):
            log.add(outcome)  # an answer that cannot be recorded must not be used
            show(outcome)

    Any number of threads and processes may add to one file. No name, path or text of an input is recorded.

    Args:
        path: Made if it is not there; its folder must exist.
        program: What answers, such as the host program: up to 64 letters, digits, dots, dashes.
        max_bytes: The file is rotated before it grows beyond this.

    Raises:
        CannotWrite: It cannot be written, or is no audit log.
        OutputLocked: Another process holds it for longer than ten seconds.
        ValueError: ``program`` or ``max_bytes`` is not allowed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        program: str = "python",
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if not _PROGRAM.fullmatch(program):
            raise ValueError(f"program is {program!r}, expected up to 64 of A-Z a-z 0-9 . _ -")
        if max_bytes < _LEAST_BYTES:
            raise ValueError(f"max_bytes is {max_bytes}, expected {_LEAST_BYTES} or more")
        self._program = program
        self._file = AuditFile(path, program=program, max_bytes=max_bytes)
        self._facts = facts_before_loading(program)

    def of(self, classifier: "Classifier", *, despite: Collection[str] = ()) -> Self:
        """Return this log for the answers of a classifier; both write the same file.

        Args:
            classifier: Loaded.
            despite: Refusals of DICOM files that are overruled.
        """
        bound = type(self).__new__(type(self))
        facts = facts_of(classifier, self._program, despite)
        bound.__dict__.update(self.__dict__, _facts=facts)
        return bound

    def with_despite(self, despite: Collection[str]) -> Self:
        """Return this log for answers for which other refusals are overruled."""
        bound = type(self).__new__(type(self))
        bound.__dict__.update(self.__dict__, _facts={**self._facts, "despite": sorted(despite)})
        return bound

    def add(self, *answers: "Outcome | Prediction | SeriesResult | BrainError") -> None:
        """Record answers, all or none; they are on the disk when this returns.

        Args:
            answers: Of images, or of series with their slices. An error is recorded by its code.

        Raises:
            CannotWrite: They are not recorded: do not give them out.
            OutputLocked: Likewise.
            TypeError: One is none of these.
        """
        self.write([entry for answer in answers for entry in _entries(answer)])

    def add_error(self, error: BrainError, *, kind: str, input_sha256: str | None = None) -> None:
        """Record a refusal or a failure; raises as ``add``.

        Args:
            error: Only its code is recorded.
            kind: Of what: ``image``, ``file``, ``series``, ``study`` or ``run``.
            input_sha256: Digest of what was refused, if it is known.
        """
        self.write([error_entry(error, kind, input_sha256)])

    def write(self, entries: Iterable[Entry]) -> None:
        """Record what ``edge_infer.audit.entries`` made of answers; raises as ``add``."""
        complete = [{**entry, **self._facts} for entry in entries]
        if complete:
            self._file.append(complete)

    def rotate(self) -> Path:
        """Begin a new file, and return where the old one is now; raises as ``add``."""
        return self._file.rotate()

    @property
    def head(self) -> str:
        """Where the chain ended after the last record of this process, ``COUNT:SHA256``: to be kept elsewhere."""
        link = self._file.link
        return f"{link.seq + 1}:{link.head}"


@contextlib.contextmanager
def failures_recorded(log: AuditLog | None) -> Iterator[None]:
    """Record an error that ends a run, such as a bundle that is refused, and let it go on its way.

    Args:
        log: None for none.
    """
    try:
        yield
    except BrainError as error:
        if log is not None and not isinstance(error, OutputError):
            log.add_error(error, kind="run")
        raise


def _entries(answer: "Outcome | Prediction | SeriesResult | BrainError") -> Iterator[Entry]:
    # Here, because it needs numpy; whoever has an answer has loaded it.
    from edge_infer.classifier import Outcome
    from edge_infer.prediction import Prediction
    from edge_infer.series.result import SeriesResult

    if isinstance(answer, SeriesResult):
        yield from series_entries(answer)
    elif isinstance(answer, Prediction):
        yield image_entry(answer)
    elif isinstance(answer, BrainError):
        yield error_entry(answer, "image", None)
    elif not isinstance(answer, Outcome):
        raise TypeError(
            f"answer is {type(answer).__name__}, expected an Outcome, a Prediction, a SeriesResult or a BrainError"
        )
    elif answer.prediction is not None:
        yield image_entry(answer.prediction)
    elif answer.error is not None:
        yield error_entry(answer.error, "image", digest_of(answer.source))
