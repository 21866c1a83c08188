"""What a received object is: the few identifiers that decide where it goes, read from its file."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.dicom.quiet import quiet_pydicom
from edge_infer.node.spool import key_of

__all__ = ["NotUnderstood", "Received", "read_received", "series_of"]

_SERIES = "SeriesInstanceUID"
_UID = re.compile(r"[0-9.]{1,64}")


class NotUnderstood(Exception):
    """The object cannot be told where it belongs; the message is made of fixed words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An object that was received whole.

    Attributes:
        file: Where it lies.
        key: Of its study in the spool.
        name: Of its file in the study: made of its UID, so that it comes only once.
        study_instance_uid: As it says.
        sop_class_uid: As it says.
        series_instance_uid: As it says; empty if it does not.
    """

    file: Path
    key: str
    name: str
    study_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str = ""


def read_received(file: Path, *, sop_class_uid: str, sop_instance_uid: str) -> Received:
    """Read the identifiers of an object.

    Args:
        file: DICOM Part 10.
        sop_class_uid: As the sender's command says.
        sop_instance_uid: Likewise.

    Raises:
        NotUnderstood: It is damaged, lacks an identifier, or contradicts the command.
    """
    import pydicom

    quiet_pydicom()
    tags = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "PatientID", "IssuerOfPatientID"]
    tags.append(_SERIES)
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
        values = [_text(header, tag) for tag in tags]
    except Exception:  # whatever a hostile header brings about; its text may hold a name
        raise NotUnderstood("its header cannot be read") from None
    sop_class, sop_instance, study, patient, issuer, series = values
    if sop_class != sop_class_uid or sop_instance != sop_instance_uid:
        raise NotUnderstood("its UIDs are not those of the sender's command")
    for name, uid in (("SOPInstanceUID", sop_instance), ("StudyInstanceUID", study)):
        if not _UID.fullmatch(uid):
            raise NotUnderstood(f"{name} is missing or no UID")
    digest = hashlib.sha256(sop_instance.encode()).hexdigest()[:32]
    return Received(
        file=file,
        key=key_of(study, f"{patient}\0{issuer}"),
        name=f"{digest}.dcm",
        study_instance_uid=study,
        sop_class_uid=sop_class,
        series_instance_uid=series,
    )


def series_of(file: Path) -> str:
    """Return the Series Instance UID of an object in the spool; empty if it has none or cannot be read."""
    import pydicom

    quiet_pydicom()
    try:
        return _text(
            pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[_SERIES]), _SERIES
        )
    except Exception:  # what is unknown is taken for any series
        return ""


def _text(header: Any, tag: str) -> str:
    return str(header.get(tag) or "").strip(" \0")
