"""R4: files that end too early."""

import contextlib
import functools
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageFile
from reliability.campaign import Broken, Campaign, Subject
from reliability.inputs.image_seeds import seeds
from reliability.inputs.scan_seeds import base_files, nifti_files

from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError
from edge_infer.image_file import read_image
from edge_infer.nifti.read import open_nifti
from edge_infer.refusals import OVERRULABLE
from edge_infer.scan_slice import ScanFile

__all__ = ["CAMPAIGN"]

#: Cuts of each file; 40 of them are single bytes from the end, where decoders are lenient.
_CUTS = 200
_FROM_THE_END = 40
_DESPITE = {refusal.value for refusal in OVERRULABLE}

_Planes = list[NDArray[np.generic] | None]
_Reader = Callable[[bytes], _Planes]


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """A whole file, and what a reader makes of it; a plane that it refuses is None."""

    kind: str
    family: str
    data: bytes
    planes: _Planes


@functools.cache
def _files() -> dict[str, tuple[str, bytes]]:
    """Return family and content by kind."""
    images = {f"image {kind}": ("image", data) for kind, data in seeds().items()}
    scans = {
        kind: ("nifti" if kind.startswith("nifti") else "dicom", data)
        for kind, data in base_files().items()
    }
    volumes = {f"nifti {kind}": ("nifti", data) for kind, data in nifti_files().items()}
    return images | scans | volumes


def _read_image(data: bytes) -> _Planes:
    return [np.asarray(read_image(data))]


def _read_slices(open_file: Callable[[ScanFile], list], data: bytes) -> _Planes:
    planes: _Planes = []
    for one in open_file(ScanFile(name="cut.nii.gz", read=lambda: data)):
        try:
            planes.append(np.asarray(one.read().source.image))
        except BrainError:
            planes.append(None)
    if all(plane is None for plane in planes):
        one.read()  # raises the last refusal again
    return planes


_OURS: dict[str, _Reader] = {
    "image": _read_image,
    "dicom": lambda data: _read_slices(lambda file: open_dicom(file, despite=_DESPITE), data),
    "nifti": lambda data: _read_slices(open_nifti, data),
}


def _nibabel(data: bytes) -> _Planes:
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    kind = nibabel.Nifti2Image if data[4:7] == b"n+2" else nibabel.Nifti1Image
    return [np.asarray(kind.from_bytes(data).dataobj)]


_RAW: dict[str, _Reader] = {
    "image": lambda data: [np.asarray(Image.open(io.BytesIO(data)).convert("L"))],
    "dicom": lambda data: [pydicom.dcmread(io.BytesIO(data), force=True).pixel_array],
    "nifti": _nibabel,
}


def _wholes(readers: dict[str, _Reader]) -> list[_Whole]:
    """Return the files that are read when they are whole; some kinds are refused even then."""
    found = []
    for kind, (family, data) in _files().items():
        with contextlib.suppress(BrainError):
            _OURS[family](data)
            found.append(_Whole(kind=kind, family=family, data=data, planes=readers[family](data)))
    return found


def _cut(wholes: list[_Whole], number: int) -> tuple[_Whole, int]:
    """Return a file, and how many bytes are left of it."""
    whole = wholes[number % len(wholes)]
    step, size = number // len(wholes) % _CUTS, len(whole.data)
    left = size - 1 - step if step < _FROM_THE_END else 0
    if step >= _FROM_THE_END:
        left = (step - _FROM_THE_END) * size // (_CUTS - _FROM_THE_END)
    return whole, max(left, 0)


def _judged(whole: _Whole, left: int, planes: _Planes) -> str:
    """Compare with the whole file, plane by plane."""
    for plane, expected in zip(planes, whole.planes, strict=False):
        if plane is not None and (expected is None or not np.array_equal(plane, expected)):
            raise Broken(f"{whole.kind} cut to {left} bytes was read as another image")
    if len(planes) != len(whole.planes):
        raise Broken(f"{whole.kind} cut to {left} bytes has {len(planes)} slices")
    if any(
        plane is None and expected is not None
        for plane, expected in zip(planes, whole.planes, strict=True)
    ):
        return "slices behind the cut refused, the others read bit for bit"
    return "read, bit for bit as the whole file"


def _ours(wholes: list[_Whole], number: int, folder: Path) -> str:
    del folder
    whole, left = _cut(wholes, number)
    try:
        planes = _OURS[whole.family](whole.data[:left])
    except BrainError as error:
        return f"refused, {error.code}"
    return _judged(whole, left, planes)


def _lenient(wholes: list[_Whole], number: int, folder: Path) -> str:
    """Read as what fills in what is missing: Pillow does, if told to; for scans, zeros take its place."""
    del folder
    whole, left = _cut(wholes, number)
    cut = whole.data[:left]
    try:
        if whole.family == "image":
            planes = _with_lenient_pillow(cut)
        else:
            planes = _OURS[whole.family](cut.ljust(len(whole.data), b"\0"))
    except Exception:
        return "refused"
    return _judged(whole, left, planes)


def _with_lenient_pillow(data: bytes) -> _Planes:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return _RAW["image"](data)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _raw(wholes: list[_Whole], number: int, folder: Path) -> str:
    del folder
    whole, left = _cut(wholes, number)
    try:
        planes = _RAW[whole.family](whole.data[:left])
    except Exception:
        return "refused"
    return _judged(whole, left, planes)


def _prepared_for_control(folder: Path) -> list[_Whole]:
    del folder
    return _wholes({**_OURS, "image": _RAW["image"]})


_ALL = len(_files()) * _CUTS

CAMPAIGN = Campaign(
    id="R4",
    title="Truncation ladder",
    promise=(
        "A file that is cut off is refused, unless every pixel is there: no answer to a partial image. Of several "
        "slices those that are whole may be read."
    ),
    attack=(
        "cuts an image, DICOM or NIfTI file of each kind at one of 200 places, 40 of them single bytes from its end"
    ),
    unit="cut files",
    subjects={
        "ours": Subject(
            trial=_ours, prepare=lambda _folder: _wholes(_OURS), what="our three readers"
        ),
        "control": Subject(
            trial=_lenient,
            prepare=_prepared_for_control,
            what="readers that fill in what is missing: Pillow with `LOAD_TRUNCATED_IMAGES`, ours with zeros behind",
        ),
        "raw": Subject(
            trial=_raw,
            prepare=lambda _folder: _wholes(_RAW),
            what="Pillow, pydicom and nibabel as they come",
        ),
    },
    ci={"ours": 80, "control": 160, "raw": 20},
    full={"ours": _ALL, "control": _ALL, "raw": _ALL},
    limit_s=20,
    chunk=200,
    control_share=0.1,
)
