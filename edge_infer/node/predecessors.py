"""A report about more of a series names the report about less of it that it replaces: PS3.3 C.17.2."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically

__all__ = ["name_predecessors"]

_REPORT = "1.2.840.10008.5.1.4.1.1.88.34"


@dataclass(frozen=True, slots=True)
class _Former:
    """What a new report has to know of an earlier one."""

    uid: str
    sources: Set[str]
    reference: Any  # an item of PredecessorDocumentsSequence


def name_predecessors(files: Iterable[Path], predecessors: Sequence[Path]) -> None:
    """Write the predecessors into the reports among the files.

    Args:
        files: Just written.
        predecessors: Results of the round before, of all series. A report that is among them is the same as before.
    """
    import pydicom

    from edge_infer.structured.document import as_file

    former = [one for path in predecessors if (one := _former_in(path)) is not None]
    known = {one.uid for one in former}
    for path in files:
        if not _is_report(path):
            continue
        report = pydicom.dcmread(path)
        if str(report.SOPInstanceUID) in known:
            continue
        sources = _source_of(report)
        replaced = [one.reference for one in former if one.sources & sources]
        if replaced:
            report.PredecessorDocumentsSequence = replaced
            write_bytes_atomically(path, as_file(report))


def _former_in(path: Path) -> _Former | None:
    """Return what an earlier report says of itself.

    None if the file holds no report, or is gone or damaged: no study fails for an earlier one.
    """
    import pydicom

    try:
        if not _is_report(path):
            return None
        report = pydicom.dcmread(path)
        # All at once, since values are decoded when they are asked for: a file that is cut off shows it only then.
        return _Former(str(report.SOPInstanceUID), _source_of(report), _reference(report))
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
