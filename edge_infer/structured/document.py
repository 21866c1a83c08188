"""What every object of a result has in common: patient, study, series, equipment, and its own names.

Equal input gives equal bytes, so that a resend is a duplicate. Therefore an object carries no clock of ours: its
content date and time are those of the study, midnight of 1 January 1900 where the source has none.
"""

import io

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from edge_infer.structured.algorithm import MANUFACTURER
from edge_infer.structured.codes import PRIVATE_SCHEME
from edge_infer.structured.origin import Origin
from edge_infer.structured.uids import CODING_SCHEME_UID, IMPLEMENTATION_CLASS_UID, as_is
from edge_infer.structured.words import short_text
from edge_infer.version import __version__

__all__ = ["as_file", "finished", "started"]

_NO_DATE, _NO_TIME = "19000101", "000000"
_NCIT_UID = "2.16.840.1.113883.3.26.1.1"
_VERSION_NAME = f"BRAINEDGE {__version__}"[:16]


def started(
    origin: Origin,
    sop_class_uid: str,
    *,
    kind: str,
    what: str = "",
    modality: str,
    number: int,
    offset: int,
    description: str,
) -> Dataset:
    """Return a dataset with the modules that all objects have.

    Args:
        origin: Whose it is.
        sop_class_uid: What kind of object it is.
        kind: A word for its series.
        what: Tells it from what might have been made in its place.
        modality: Of the series.
        number: From 1, in the series.
        offset: Added to a hundred times the number of the source's series.
        description: Of the series.
    """
    dataset = Dataset()
    source, patient = origin.source, origin.source.patient
    dataset.SOPClassUID = UID(sop_class_uid)
    dataset.SOPInstanceUID = UID(origin.uid(kind, what, str(number)))
    dataset.ReferringPhysicianName = ""
    dataset.add(as_is("StudyInstanceUID", source.study_uid))
    dataset.SeriesInstanceUID = UID(origin.uid(kind, "series"))
    dataset.SeriesNumber = source.series_number * 100 + offset
    dataset.SeriesDescription = short_text(description)
    dataset.InstanceNumber = number
    dataset.Modality = modality
    dataset.ContentDate = patient.study_date or _NO_DATE
    dataset.ContentTime = (patient.study_date and patient.study_time) or _NO_TIME
    dataset.CodingSchemeIdentificationSequence = Sequence(_schemes())
    origin.algorithm.add_equipment_to(dataset)
    return dataset


def finished(dataset: Dataset, origin: Origin) -> FileDataset:
    """Add whose it is, encode it and decode it again, so that it is what a receiver will have."""
    origin.source.patient.add_to(dataset)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = _VERSION_NAME
    dataset.file_meta = meta
    return pydicom.dcmread(io.BytesIO(as_file(dataset)))


def as_file(dataset: Dataset) -> bytes:
    """Return an object as the content of a file (PS3.10)."""
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def _schemes() -> list[Dataset]:
    ours, ncit = Dataset(), Dataset()
    ours.CodingSchemeDesignator, ours.CodingSchemeUID = PRIVATE_SCHEME, CODING_SCHEME_UID
    ours.CodingSchemeName = "Codes of brain-edge"
    ours.CodingSchemeResponsibleOrganization = MANUFACTURER
    ncit.CodingSchemeDesignator, ncit.CodingSchemeUID = "NCIt", _NCIT_UID
    ncit.CodingSchemeName = "NCI Thesaurus"
    ncit.CodingSchemeResponsibleOrganization = "National Cancer Institute"
    return [ncit, ours]
