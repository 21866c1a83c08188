"""A study from files to results: opened, answered series by series, written; for ``brain-infer`` and the node alike."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from PIL import Image

from edge_infer.classifier import Classifier
from edge_infer.errors import BrainError, DataRefused, UnsupportedImage
from edge_infer.names import shown_name
from edge_infer.scan_slice import ScanSlice
from edge_infer.series.classify import Progress, classify_series
from edge_infer.series.contact_sheet import ContactSheet
from edge_infer.series.result import Refused, SeriesReason, SeriesResult
from edge_infer.series.study import Series, Study, StudyPaths, open_study

__all__ = [
    "ProgressOf",
    "Unwritten",
    "Written",
    "refuse_without_identity",
    "run_series",
    "run_study",
    "write_dicom",
]

#: Called with each series before it is answered; returns what is told of its progress.
ProgressOf = Callable[[Series], Progress | None]
#: Called with a result and the DICOM objects written for it.
Written = Callable[[SeriesResult, Sequence[Path]], None]
#: Called with a result about which nothing was written, and why.
Unwritten = Callable[[SeriesResult, BrainError], None]
#: Codes of the tumours in DICOM objects: NCI Thesaurus, or SNOMED CT.
Codes = Literal["ncit", "sct"]


def run_study(
    classifier: Classifier,
    paths: StudyPaths,
    *,
    despite: Collection[str] = (),
    dicom_out: Path | None = None,
    on_opened: Callable[[Study], None] | None = None,
    on_series: ProgressOf | None = None,
    on_refused: Callable[[Refused], None] | None = None,
    on_written: Written | None = None,
    on_unwritten: Unwritten | None = None,
    timeout_s: float | None = None,
) -> Iterator[SeriesResult]:
    """Answer all series of a study, one at a time; none is held once it was yielded.

    Args:
        classifier: Loaded once for any number of studies.
        paths: Files, folders, ZIP archives; see ``open_study``.
        despite: Refusals to overrule.
        dicom_out: Folder for a structured report and secondary captures of each series; made if it is not there.
            Nothing is written about a series without DICOM identifiers, or whose files name several patients.
        on_opened: Given the study before its first series is answered.
        on_series: See ``ProgressOf``.
        on_refused: Given each file that is not read.
        on_written: See ``Written``. Called before the result is yielded.
        on_unwritten: Given a result about which nothing could be written, and why; without it that error is raised.
        timeout_s: Seconds that reading a slice may take.

    Yields:
        A result for each series, in the order of the study. A series of which no slice can be read has one, too.

    Raises:
        NoInputs: Nothing there is a scan.
        UnsupportedImage: ``dicom_out``, and no series has DICOM identifiers; before any is answered.
        MissingDependency: ``dicom_out`` without the extra ``dicom``.
        OutputError: The results cannot be written.
    """
    study = open_study(paths, despite=despite)
    if on_opened is not None:
        on_opened(study)
    if on_refused is not None:
        for refused in study.refused:
            on_refused(refused)
    if dicom_out is not None:
        refuse_without_identity(study)
    for series in study.series:
        progress = None if on_series is None else on_series(series)
        yield run_series(
            classifier,
            series,
            dicom_out=dicom_out,
            progress=progress,
            on_written=on_written,
            on_unwritten=on_unwritten,
            timeout_s=timeout_s,
        )


def run_series(
    classifier: Classifier,
    series: Series,
    *,
    dicom_out: Path | None = None,
    progress: Progress | None = None,
    on_written: Written | None = None,
    on_unwritten: Unwritten | None = None,
    timeout_s: float | None = None,
) -> SeriesResult:
    """Answer one series, and write its DICOM objects where that is asked for; arguments as for ``run_study``."""
    sheet = None if dicom_out is None else ContactSheet(len(series.slices))
    result = classify_series(
        classifier,
        series,
        progress=progress,
        shown=None if sheet is None else sheet.add,
        timeout_s=timeout_s,
    )
    if dicom_out is not None and sheet is not None:
        try:
            files = write_dicom(classifier, result, dicom_out, sheet=sheet.draw(result))
        except BrainError as error:
            if on_unwritten is None:
                raise
            on_unwritten(result, error)
            return result
        if on_written is not None:
            on_written(result, files)
    return result


def write_dicom(
    classifier: Classifier,
    result: SeriesResult,
    folder: Path,
    *,
    sheet: Image.Image | None = None,
    codes: Codes = "ncit",
) -> list[Path]:
    """Write the report and the captures of a result; see ``edge_infer.structured.write``.

    Args:
        classifier: Which gave the result.
        result: Of a DICOM series.
        folder: Made if it is not there.
        sheet: What ``ContactSheet`` drew. Of a slice alone it is left out: the slice is shown anyway.
        codes: Of the tumours.

    Raises:
        UnsupportedImage: The series has no DICOM identifiers.
        DataRefused: Files under its identifiers name several patients.
        OutputError: The results cannot be written.
    """
    _refuse_unnamed(result.slices[0].slice, result.study_instance_uid)
    if SeriesReason.SEVERAL_PATIENTS in result.reasons:
        raise DataRefused(
            f"{shown_name(result.slices[0].slice.name)}: files of its series name several patients, so no DICOM "
            "results are written",
            hint="ask the sender: a result would belong to one of them only",
        )
    # Here, because only who writes DICOM needs the packages.
    from edge_infer.structured.algorithm import algorithm_of
    from edge_infer.structured.write import write_results

    shown = sheet if len(result.slices) > 1 else None
    return write_results(
        result, folder, algorithm=algorithm_of(classifier), sheet=shown, codes=codes
    )


def refuse_without_identity(study: Study) -> None:
    """Refuse to write DICOM objects about a study in which no series is such that one could be written.

    Raises:
        UnsupportedImage: No series has identifiers.
    """
    refused = []
    for series in study.series:
        try:
            _refuse_unnamed(series.slices[0], series.study_instance_uid)
        except UnsupportedImage as error:
            refused.append(error)
    if refused and len(refused) == len(study.series):
        raise refused[0]


def _refuse_unnamed(first: ScanSlice, study_instance_uid: str) -> None:
    if first.identity is None or not study_instance_uid or not first.identity.series_instance_uid:
        raise UnsupportedImage(
            f"{shown_name(first.file.name)}: names no patient and no study or no series, so no DICOM "
            "results can be written",
            hint="--dicom-out is for DICOM series; --json and --heatmap take any",
        )
