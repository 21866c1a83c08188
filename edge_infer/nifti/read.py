"""Open a NIfTI file: a slice for each plane of the volume, turned as a radiologist sees it."""

import hashlib
import re
from collections.abc import Callable
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from edge_infer.described import described_as
from edge_infer.errors import BrainError, CorruptImage, InputOverLimit
from edge_infer.held_content import HeldContent
from edge_infer.image_file import SourceImage
from edge_infer.image_limits import check_size
from edge_infer.names import shown_name
from edge_infer.nifti.volume import Volume, parse_volume
from edge_infer.scan_files import MAX_SCAN_BYTES
from edge_infer.scan_slice import Acquisition, Geometry, ScanFile, ScanSlice, ShownSlice
from edge_infer.slice_view import SliceView, geometry_of, shown_image
from edge_infer.stretch import BLANK, STRETCHED, stretch

__all__ = ["open_nifti"]

_TO_DICOM = np.array([-1.0, -1.0, 1.0])  # NIfTI: x to the right, y to the front
_THICK = 1.2  # times the other spacings: the volume was scanned in slices across this axis
_UNPLACED = "the header does not say how the volume lies: shown as if its axes ran to the left, the front and the head"


def open_nifti(file: ScanFile) -> list[ScanSlice]:
    """Read the header of a NIfTI file; values are unpacked when a slice is read.

    Slices lie across the axis of the largest spacing; where spacings are alike, they are axial.

    Args:
        file: ``.nii`` or ``.nii.gz``, NIfTI-1 or NIfTI-2.

    Returns:
        The slices, in the order of the file.

    Raises:
        InputError: As for ``parse_volume``.
        MissingDependency: nibabel is not installed.
    """
    name = shown_name(file.name)
    data = _read(file, name)
    volume = parse_volume(data, name)
    axis = slice_axis(volume)
    rows, columns = (side for other, side in enumerate(volume.shape) if other != axis)
    check_size(columns, rows, name)
    acquisition = Acquisition(described_as=_described(file, volume))
    digest = hashlib.sha256(data).hexdigest()
    held = _held(file, name, digest)
    slices = []
    for index in range(volume.shape[axis]):
        view, geometry, gaps = place_of(volume, axis, index)
        slices.append(
            ScanSlice(
                name=f"{file.name}#{index + 1}",
                file=file,
                identity=None,
                geometry=geometry,
                acquisition=acquisition,
                read=_reader(f"{file.name}#{index + 1}", axis, index, held, view, gaps),
                warnings=(*volume.warnings, *(() if geometry else (_UNPLACED,))),
                sha256=digest,
            )
        )
    return slices


def slice_axis(volume: Volume) -> int:
    """Return the axis across which the slices lie."""
    if volume.spacing_mm:
        order = np.argsort(volume.spacing_mm)
        if volume.spacing_mm[order[2]] > _THICK * volume.spacing_mm[order[1]]:
            return int(order[2])
    if volume.affine is None:
        return 2
    return int(np.argmax(np.abs(_directions(volume.affine)[2])))


def place_of(
    volume: Volume, axis: int, index: int
) -> tuple[SliceView, Geometry | None, tuple[float, float] | None]:
    """Return how a plane is turned, how it lies, and its spacing, for pixels of (first, second) of the other axes."""
    first, second = (other for other in range(3) if other != axis)
    spacing = volume.spacing_mm
    gaps = (spacing[first], spacing[second]) if spacing else None
    size = (volume.shape[first], volume.shape[second])
    unplaced = SliceView(is_swapped=True, is_upside_down=True)
    if volume.affine is None:
        return unplaced, None, gaps
    corner = np.zeros(4)
    corner[axis], corner[3] = index, 1
    position = (volume.affine @ corner)[:3] * _TO_DICOM
    directions = _directions(volume.affine)
    # Rising second index is rising column, so it is the direction of a row.
    found = geometry_of(
        directions[:, second] * _TO_DICOM,
        directions[:, first] * _TO_DICOM,
        position,
        spacing=gaps,
        size=size,
    )
    return (unplaced, None, gaps) if found is None else (found[1], found[0], gaps)


def _directions(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the direction of each axis in a column, of length 1; zeros where there is none."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    with np.errstate(all="ignore"):
        return np.where(lengths > 0, affine[:3, :3] / lengths, 0.0)


def _described(file: ScanFile, volume: Volume) -> frozenset[str]:
    member = PurePath(file.name.rpartition("!")[2]).name
    return described_as([re.sub(r"[_.]", " ", member), volume.description])


def _read(file: ScanFile, name: str) -> bytes:
    data = file.read()
    if not data:
        raise CorruptImage(f"{name}: file is empty (0 bytes)")
    if len(data) > MAX_SCAN_BYTES:
        raise InputOverLimit(f"{name}: file is larger than {MAX_SCAN_BYTES // 2**20} MiB")
    return data


def _held(file: ScanFile, name: str, digest: str) -> HeldContent[tuple[Volume, str]]:
    def load() -> tuple[Volume, str]:
        data = _read(file, name)
        if hashlib.sha256(data).hexdigest() != digest:
            raise CorruptImage(f"{name}: file has changed while it was read", hint="try it again")
        return parse_volume(data, name), digest

    return HeldContent(load, is_held=True)


def _reader(
    name: str,
    axis: int,
    index: int,
    held: HeldContent[tuple[Volume, str]],
    view: SliceView,
    gaps: tuple[float, float] | None,
) -> Callable[[], ShownSlice]:
    return lambda: _shown(name, axis, index, held, view, gaps)


def _shown(
    name: str,
    axis: int,
    index: int,
    held: HeldContent[tuple[Volume, str]],
    view: SliceView,
    gaps: tuple[float, float] | None,
) -> ShownSlice:
    shown = shown_name(name)
    try:
        volume, digest = held.get()
        values = volume.plane(axis, index)
        grey = stretch(values)
        warnings = () if np.isfinite(values).all() else ("values that are no number are black",)
        if grey is None:
            grey, warnings = np.zeros(values.shape), (*warnings, BLANK)
        image = shown_image(np.rint(grey).astype(np.uint8), view, gaps)
    except BrainError:
        raise
    except MemoryError:
        raise InputOverLimit(f"{shown}: there is not enough memory to read it") from None
    except Exception as error:
        raise CorruptImage(
            f"{shown}: NIfTI is damaged or cut short ({type(error).__name__})",
            hint="copy or export the file again",
        ) from None
    source = SourceImage(name=name, sha256=digest, image=image)
    return ShownSlice(source=source, grey=STRETCHED, warnings=warnings)
