"""R3: damaged NIfTI files."""

import warnings
from pathlib import Path
from unittest import mock

import nibabel
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.inputs.scan_seeds import damaged_scan, nifti_files
from reliability.inputs.watching import watched

from edge_infer.nifti import read, volume
from edge_infer.scan_slice import ScanFile

__all__ = ["CAMPAIGN"]

#: What nibabel documents, and what gzip does.
_NIBABEL_NAMES = (
    *(nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError),
    *(nibabel.spatialimages.HeaderTypeError, OSError, EOFError, ValueError),
)


def _ours(files: dict[str, bytes], number: int, folder: Path) -> Seen:
    _, data = damaged_scan(files, number)

    def read_all() -> str:
        slices = read.open_nifti(ScanFile(name="damaged.nii.gz", read=lambda: data))
        return "".join(repr(one.read()) + repr(one) for one in slices)

    return watched(read_all, check=lambda: _check_whole(data, folder))


def _check_whole(data: bytes, folder: Path) -> None:
    """Let nibabel read the file."""
    try:
        with warnings.catch_warnings(action="ignore"):
            _load(data, folder)
    except Exception as error:
        raise Broken(f"read, although nibabel refuses it ({type(error).__name__})") from None


def _load(data: bytes, folder: Path) -> str:
    path = folder / ("damaged.nii.gz" if data.startswith(b"\x1f\x8b") else "damaged.nii")
    path.write_bytes(data)
    return str(nibabel.load(path).get_fdata().shape)


def _nibabel(files: dict[str, bytes], number: int, folder: Path) -> Seen:
    _, data = damaged_scan(files, number)
    return watched(lambda: _load(data, folder), named=_NIBABEL_NAMES)


def _files(folder: Path) -> dict[str, bytes]:
    del folder
    return nifti_files()


def _unmapped(folder: Path) -> dict[str, bytes]:
    """Let nibabel's exceptions through for as long as the process lives."""

    def parse(data: bytes, name: str) -> volume.Volume:
        return volume._parse(volume._unpacked(data, name), name)

    mock.patch.object(read, "parse_volume", parse).start()
    return _files(folder)


CAMPAIGN = Campaign(
    id="R3",
    title="Damaged NIfTI",
    promise=(
        "A damaged NIfTI file is read or refused by a named error, within 2 s and 512 MB; it is not read if "
        "nibabel refuses it, and no text of its header is shown in a message, a log or a warning."
    ),
    attack="changes header or values of 15 kinds of NIfTI files, packed ones too, at up to 16 places",
    unit="damaged NIfTI files",
    subjects={
        "ours": Subject(trial=_ours, prepare=_files, what="`edge_infer.nifti.read.open_nifti`"),
        "control": Subject(
            trial=_ours, prepare=_unmapped, what="the same, with nibabel's exceptions let through"
        ),
        "raw": Subject(
            trial=_nibabel, prepare=_files, what="nibabel as it comes: `load`, `get_fdata`"
        ),
    },
    ci={"ours": 250, "control": 60, "raw": 60},
    full={"ours": 200_000, "control": 10_000, "raw": 50_000},
    limit_s=20,
    chunk=500,
    control_share=0.02,
)
