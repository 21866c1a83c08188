"""A study's images become its results: what the node's worker process and the one-shot command have in common."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge_infer.errors import BrainError, InputError, ScanRefused

if TYPE_CHECKING:
    from edge_infer.audit.log import AuditLog
    from edge_infer.classifier import Classifier
    from edge_infer.decision import ScopeMode

__all__ = ["Answer", "Answerer", "answer_study", "load_classifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a study.

    Attributes:
        series: An entry for each series that was read; docs/series.schema.json describes it.
        files: DICOM objects that were written.
        refused: How many files were refused, by code.
    """

    series: list[dict[str, Any]]
    files: list[Path]
    refused: dict[str, int] = field(default_factory=dict)


class Answerer(Protocol):
    """Reads images, classifies their series and writes results; ``answer_study`` is the one that is used."""

    def __call__(
        self,
        classifier: "Classifier",
        images: Sequence[Path],
        out: Path,
        *,
        despite: Sequence[str] = (),
        predecessors: Sequence[Path] = (),
        warnings: Sequence[str] = (),
        log: "AuditLog | None" = None,
    ) -> Answer:
        """Answer for one study.

        Args:
            classifier: Loaded.
            images: Files of the study.
            out: Folder for the results.
            despite: Refusals to overrule.
            predecessors: Results for less of the study, which the new ones replace.
            warnings: Of the study; each series has them.
            log: Where answers and refusals are recorded before they are given out; None for nowhere.
        """
        ...


def load_classifier(
    bundle: Path | None,
    *,
    threads: int | None,
    scope: "ScopeMode",
    trust: Path | None = None,
) -> "Classifier":
    """Load a bundle and ask for its known answers.

    Raises:
        BrainError: The bundle cannot be used here.
    """
    from edge_infer.classifier import Classifier

    return Classifier.load(bundle, num_threads=threads, scope=scope, trust=trust)


def answer_study(
    classifier: "Classifier",
    images: Sequence[Path],
    out: Path,
    *,
    despite: Sequence[str] = (),
    predecessors: Sequence[Path] = (),
    warnings: Sequence[str] = (),
    log: "AuditLog | None" = None,
) -> Answer:
    """Classify the series of a study and write a structured report and captures of each; see ``Answerer``.

    A series about which nothing can be written, such as one whose files name two patients, counts as refused.

    Raises:
        BrainError: The study cannot be opened, the model fails, or the folder cannot be written.
    """
    from edge_infer.audit.entries import digest_of, error_entry, series_entries
    from edge_infer.node.predecessors import name_predecessors
    from edge_infer.report import context_of
    from edge_infer.series.classify import classify_series
    from edge_infer.series.contact_sheet import ContactSheet
    from edge_infer.series.lines import series_line
    from edge_infer.series.study import open_study
    from edge_infer.study_run import write_dicom

    context = context_of(classifier)
    study = open_study(images, despite=despite)
    refused = Counter(_code_of(one.error) for one in study.refused)
    answered, files = [], []
    entries = [
        error_entry(one.error, "file", digest_of(one.name) if log else None)
        for one in study.refused
    ]
    for series in study.series:
        try:
            sheet = ContactSheet(len(series.slices))
            result = classify_series(classifier, series, shown=sheet.add)
            result = replace(result, warnings=(*result.warnings, *warnings))
            written = write_dicom(classifier, result, out, sheet=sheet.draw(result))
        except InputError as error:
            refused[_code_of(error)] += 1
            entries.append(error_entry(error, "series", None, series=series.number))
            continue
        name_predecessors(written, predecessors)
        files += written
        entries += series_entries(result)
        answered.append(json.loads(series_line(result, context)))
    if log is not None:
        log.write(entries)
    return Answer(series=answered, files=files, refused=dict(refused))


def _code_of(error: BrainError) -> str:
    return error.refusal.value if isinstance(error, ScanRefused) else error.code
