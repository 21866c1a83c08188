"""What kind of scan a file holds, told by its first bytes; and how large a file of a scan may be."""

from typing import Literal

from edge_infer.formats.medical import name_of_medical_format

__all__ = ["MAX_SCAN_BYTES", "START_BYTES", "ScanKind", "kind_of"]

ScanKind = Literal["dicom", "nifti", "zip"]

#: Of a file, or of what it unpacks to. An enhanced MR of 500 frames of 512 x 512 has 250 MiB.
MAX_SCAN_BYTES = 512 * 2**20

#: So many bytes are enough for ``kind_of``.
START_BYTES = 512

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def kind_of(start: bytes) -> ScanKind | None:
    """Return which reader a file is for; None if it is for none, as a PNG is.

    Args:
        start: Its first 512 bytes, or all of a shorter file.
    """
    if start.startswith(_ZIP):
        return "zip"
    name = name_of_medical_format(start) or ""
    if name.startswith("DICOM") and "gzip" not in name:
        return "dicom"
    return "nifti" if name.startswith("NIfTI") else None
