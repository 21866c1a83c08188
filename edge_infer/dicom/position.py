"""How a frame lies in the patient: Image Position and Orientation, in functional groups or at the top."""

import numpy as np

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import whole
from edge_infer.scan_slice import Geometry
from edge_infer.slice_view import AS_STORED, SliceView, geometry_of

__all__ = ["aspect_of", "view_and_geometry"]


def _spacing_of(frame: Frame) -> tuple[float, float] | None:
    """Return the spacing between rows and between columns in mm; None if unknown or not to be believed."""
    found = frame.numbers("PixelSpacing", 2, within="PixelMeasuresSequence")
    if found is None or not all(0.001 <= gap <= 1000 for gap in found):
        return None
    return found[0], found[1]


def aspect_of(frame: Frame) -> tuple[float, float] | None:
    """Return the sizes of a pixel, its height and its width: in mm, or relative ones where only these are stated."""
    spacing = _spacing_of(frame)
    if spacing is None:
        ratio = frame.numbers("PixelAspectRatio", 2, within="PixelMeasuresSequence")
        if ratio is not None and min(ratio) > 0:
            return ratio[0], ratio[1]
    return spacing


def view_and_geometry(frame: Frame) -> tuple[SliceView, Geometry | None]:
    """Return how to turn a frame, and how it lies; as stored and None where the header does not say."""
    if frame.own is None and not frame.is_single:
        return AS_STORED, None  # one position at the top cannot be that of several frames
    position = frame.numbers("ImagePositionPatient", 3, within="PlanePositionSequence")
    directions = frame.numbers("ImageOrientationPatient", 6, within="PlaneOrientationSequence")
    if position is None or directions is None:
        return AS_STORED, None
    rows, columns = whole(frame.top, "Rows") or 0, whole(frame.top, "Columns") or 0
    found = geometry_of(
        np.array(directions[:3]),
        np.array(directions[3:]),
        np.array(position),
        spacing=_spacing_of(frame),
        size=(rows, columns),
    )
    return (AS_STORED, None) if found is None else (found[1], found[0])
