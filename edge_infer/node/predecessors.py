"""A report about more of a series names the report about less of it that it replaces: PS3.3 C.17.2."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically

__all__ = ["name_predecessors"]

_REPORT = "1.2.840.10008.5.1.4.1.1.88.34"


def name_predecessors(files: Iterable[Path], predecessors: Sequence[Path]) -> None:
    """Write the predecessors into the reports among the files.

    Args:
        files: Just written.
        predecessors: Results of the round before, of all series. A report that is among them is the same as before.
    """
    import pydicom

    from edge_infer.structured.document import as_file

    former = [report for path in predecessors if (report := _report_in(path)) is not None]
    known = {str(one.SOPInstanceUID) for one in former}
    for path in files:
        if not _is_report(path):
            continue
        report = pydicom.dcmread(path)
        if str(report.SOPInstanceUID) in known:
            continue
        replaced = [one for one in former if _source_of(one) & _source_of(report)]
        if replaced:
            report.PredecessorDocumentsSequence = [_reference(one) for one in replaced]
            write_bytes_atomically(path, as_file(report))


def _report_in(path: Path) -> Any:
    """Return the report in a file; None if it holds none, or is gone or damaged: no study fails for an earlier one."""
    import pydicom

    try:
        return pydicom.dcmread(path) if _is_report(path) else None
    except Exception:  # whatever a damaged file brings about
        return None


def _is_report(path: Path) -> bool:
    from pydicom.filereader import read_file_meta_info

    return str(read_file_meta_info(path).MediaStorageSOPClassUID) == _REPORT


def _source_of(report: Any) -> set[str]:
    """Return the series that a report is about."""
    return {
        str(series.SeriesInstanceUID)
        for study in report.get("CurrentRequestedProcedureEvidenceSequence", [])
        for series in study.ReferencedSeriesSequence
    }


def _reference(report: Any) -> Any:
    from pydicom.dataset import Dataset

    document, series, study = Dataset(), Dataset(), Dataset()
    document.ReferencedSOPClassUID = report.SOPClassUID
    document.ReferencedSOPInstanceUID = report.SOPInstanceUID
    series.SeriesInstanceUID = report.SeriesInstanceUID
    series.ReferencedSOPSequence = [document]
    study.StudyInstanceUID = report.StudyInstanceUID
    study.ReferencedSeriesSequence = [series]
    return study
