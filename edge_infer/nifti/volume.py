"""The bytes of a NIfTI file become a volume, header first; every cost is bounded."""

import logging
import math
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import (
    BrainError,
    CorruptImage,
    InputOverLimit,
    MissingDependency,
    ScanRefused,
    UnsupportedImage,
)
from edge_infer.nifti.lie import lie_of
from edge_infer.refusals import Refusal
from edge_infer.scan_files import GZIP, MAX_SCAN_BYTES, unpacked

__all__ = ["MAX_SLICES", "Volume", "parse_volume"]

MAX_SLICES = 4096
_PAIRS = (b"ni1\0", b"ni2\0")
#: ``sizeof_hdr`` by whether it is NIfTI-2, in either byte order. nibabel only logs another one.
_HEADER_SIZES = {
    False: (b"\x5c\x01\0\0", b"\0\0\x01\x5c"),
    True: (b"\x1c\x02\0\0", b"\0\0\x02\x1c"),
}
_LABELS, _FIRST_STATISTIC, _LAST_STATISTIC = 1002, 2, 24  # intent codes of nifti1.h
_VECTORS = frozenset({1003, 1004, 1005, 1006, 1007, 1008, 1009, 2003, 2004})


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume whose values are read slice by slice.

    Attributes:
        shape: (i, j, k).
        affine: (4, 4), from voxels to mm: x to the right, y to the front, z to the head. None if the file states none.
        spacing_mm: Of a voxel along each axis; None if it is not to be believed.
        warnings: What to know about the header.
        description: Free text of the header; not to be shown.
        values: nibabel's proxy, scaled as it is read.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64] | None
    spacing_mm: tuple[float, float, float] | None
    warnings: tuple[str, ...]
    description: str = field(repr=False)
    values: Any = field(repr=False)

    def plane(self, axis: int, index: int) -> NDArray[np.float64]:
        """Return the values of a plane across an axis, (first, second) of the other axes in order."""
        where: list[Any] = [slice(None)] * len(self.values.shape)
        where[axis] = index
        found: NDArray[np.float64] = np.asarray(self.values[tuple(where)], dtype=np.float64)
        return found.reshape([side for other, side in enumerate(self.shape) if other != axis])


def parse_volume(data: bytes, name: str) -> Volume:
    """Read the header, and make the values readable.

    Args:
        data: Of a ``.nii`` or ``.nii.gz`` file.
        name: As shown.

    Raises:
        CorruptImage: Damaged or cut short.
        ScanRefused: Several volumes, or no image: labels, statistics, vectors.
        UnsupportedImage: A pair of files, or values of another kind than numbers.
        InputOverLimit: It unpacks to more than 512 MiB, or has too many slices.
        MissingDependency: nibabel is not installed.
    """
    if find_spec("nibabel") is None:
        raise MissingDependency(
            f"{name}: format is NIfTI, which needs the package nibabel",
            hint="pip install 'brain-edge[nifti]'",
        )
    # nibabel prints what it finds wrong in a header, with the values.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)
    try:
        return _parse(_unpacked(data, name), name)
    except BrainError:
        raise
    except MemoryError:
        raise InputOverLimit(f"{name}: there is not enough memory to read it") from None
    except (
        Exception
    ) as error:  # nibabel raises anything, and its message may show values of the header
        raise CorruptImage(
            f"{name}: NIfTI is damaged or cut short ({type(error).__name__})",
            hint="copy or export the file again",
        ) from None


def _unpacked(data: bytes, name: str) -> bytes:
    if not data.startswith(GZIP):
        return data
    return unpacked(data, name, is_gzip=True, limit=MAX_SCAN_BYTES)


def _parse(data: bytes, name: str) -> Volume:
    import nibabel

    if data[344:348] in _PAIRS or data[4:8] in _PAIRS:
        raise UnsupportedImage(
            f"{name}: NIfTI is a pair of .hdr and .img, expected a single file",
            hint="give both to a converter, and what it makes here: a .nii.gz",
        )
    kind = nibabel.Nifti2Image if data[4:7] == b"n+2" else nibabel.Nifti1Image
    if data[:4] not in _HEADER_SIZES[kind is nibabel.Nifti2Image]:
        raise CorruptImage(
            f"{name}: NIfTI is damaged: its header states a length that no header has",
            hint="copy or export the file again",
        )
    image = kind.from_bytes(data)
    header, shape = image.header, image.shape
    _check_kind(header, name)
    if any(side < 1 for side in shape):
        raise CorruptImage(
            f"{name}: NIfTI is damaged: a side of {min(shape)} voxels, expected at least 1",
            hint="copy or export the file again",
        )
    if len(shape) < 3:
        raise UnsupportedImage(f"{name}: NIfTI has {len(shape)} dimensions, expected 3")
    if math.prod(shape[3:]) != 1:
        raise ScanRefused(
            f"{name}: NIfTI holds {math.prod(shape[3:])} volumes, expected one",
            refusal=Refusal.SEVERAL_VOLUMES,
            hint="save the volume you want as a file of its own",
        )
    if max(shape[:3]) > MAX_SLICES:
        raise InputOverLimit(f"{name}: NIfTI is longer than {MAX_SLICES:,} voxels along a side")
    due = math.prod(shape) * header.get_data_dtype().itemsize
    if len(data) < int(image.dataobj.offset) + due:
        raise CorruptImage(
            f"{name}: file is cut short (NIfTI)", hint="copy or export the file again"
        )
    affine, spacing, warnings = lie_of(header, name)
    return Volume(
        shape=(shape[0], shape[1], shape[2]),
        affine=affine,
        spacing_mm=spacing,
        warnings=warnings,
        description=bytes(header["descrip"]).decode("ascii", "replace"),
        values=image.dataobj,
    )


def _check_kind(header: Any, name: str) -> None:
    intent = int(header["intent_code"])
    if intent == _LABELS or _FIRST_STATISTIC <= intent <= _LAST_STATISTIC or intent in _VECTORS:
        raise ScanRefused(
            f"{name}: NIfTI holds labels, statistics or vectors, expected MR slices of a head",
            refusal=Refusal.NOT_AN_IMAGE,
        )
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnsupportedImage(
            f"{name}: NIfTI has values of a kind that is not read, expected whole or real numbers"
        )
