"""R2: damaged DICOM files."""

import contextlib
import io
import warnings
from pathlib import Path
from unittest import mock

import pydicom
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.inputs.scan_seeds import damaged_scan, dicom_files
from reliability.inputs.watching import watched

from edge_infer.dicom import content, pixels, read
from edge_infer.refusals import OVERRULABLE
from edge_infer.scan_slice import ScanFile

__all__ = ["CAMPAIGN"]

#: What pydicom documents for ``dcmread`` and ``pixel_array``.
_PYDICOM_NAMES = (
    *(pydicom.errors.InvalidDicomError, AttributeError, NotImplementedError, RuntimeError),
    *(TypeError, ValueError),
)
_NATIVE = {  # by (implicit, little endian)
    (True, True): pydicom.uid.ImplicitVRLittleEndian,
    (False, True): pydicom.uid.ExplicitVRLittleEndian,
    (False, False): pydicom.uid.ExplicitVRBigEndian,
}
_DESPITE = {refusal.value for refusal in OVERRULABLE}


def _ours(files: dict[str, bytes], number: int, folder: Path) -> Seen:
    del folder
    _, data = damaged_scan(files, number)

    def read_all() -> str:
        file = ScanFile(name="damaged.dcm", read=lambda: data)
        slices = read.open_dicom(file, despite=_DESPITE)
        return "".join(repr(one.read()) + repr(one) for one in slices)

    return watched(read_all, check=lambda: _check_whole(data))


def _check_whole(data: bytes) -> None:
    """Let pydicom read the file; we read one without transfer syntax as what its encoding is, so it is told that."""
    try:
        with warnings.catch_warnings(action="ignore"):
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            if "TransferSyntaxUID" not in dataset.file_meta:
                dataset.file_meta.TransferSyntaxUID = _NATIVE[dataset.original_encoding]
            dataset.pixel_array  # noqa: B018  # decodes
    except Exception as error:
        raise Broken(f"read, although pydicom refuses it ({type(error).__name__})") from None


def _pydicom(files: dict[str, bytes], number: int, folder: Path) -> Seen:
    del folder
    _, data = damaged_scan(files, number)

    def read_all() -> str:
        return str(pydicom.dcmread(io.BytesIO(data)).pixel_array.shape)

    return watched(read_all, named=_PYDICOM_NAMES)


def _files(folder: Path) -> dict[str, bytes]:
    del folder
    return dicom_files()


def _unmapped(folder: Path) -> dict[str, bytes]:
    """Let foreign exceptions through for as long as the process lives."""
    for module in (content, pixels, read):
        mock.patch.object(module, "foreign_errors", return_value=contextlib.nullcontext()).start()
    return _files(folder)


CAMPAIGN = Campaign(
    id="R2",
    title="Damaged DICOM",
    promise=(
        "A damaged DICOM file is read or refused by a named error, within 2 s and 512 MB; it is not read if "
        "pydicom refuses it, and no value of its header is shown in a message, a log or a warning."
    ),
    attack=(
        "changes header or pixels of drawn MR files in 9 transfer syntaxes, and of pydicom's own test files, "
        "at up to 16 places"
    ),
    unit="damaged DICOM files",
    subjects={
        "ours": Subject(trial=_ours, prepare=_files, what="`edge_infer.dicom.read.open_dicom`"),
        "control": Subject(
            trial=_ours,
            prepare=_unmapped,
            what="the same, with the exceptions of pydicom and of decoders let through",
        ),
        "raw": Subject(
            trial=_pydicom, prepare=_files, what="pydicom as it comes: `dcmread`, `pixel_array`"
        ),
    },
    ci={"ours": 150, "control": 60, "raw": 40},
    full={"ours": 1_000_000, "control": 10_000, "raw": 200_000},
    limit_s=20,
    chunk=500,
    control_share=0.02,
)
