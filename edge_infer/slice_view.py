"""Turn a slice so that it is seen as a radiologist sees it, and give it square pixels.

As seen by convention: axial slices from the feet, coronal ones from the front, sagittal ones from the patient's left,
so that columns run to the patient's left (axial, coronal) or back (sagittal), and rows to the back (axial) or the feet.
Coordinates are those of DICOM: x to the left, y to the back, z to the head (PS3.3 C.7.6.2.1.1).
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.image_limits import MAX_PIXELS, MAX_SIDE
from edge_infer.scan_slice import Geometry, Plane

__all__ = ["AS_STORED", "SliceView", "geometry_of", "shown_image", "square_size", "view_of"]

_PLANES: tuple[Plane, ...] = ("sagittal", "coronal", "axial")  # by the axis that is their normal
#: Directions of rising column and of rising row, as shown.
_SHOWN: dict[Plane, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
}
_SKEW = 0.01  # headers round: 0.6 degrees, and 1 % of the length
_FARTHEST_MM = 100_000.0
_SQUARE = 0.01  # pixels this near to a square stay as they are
_LONGEST_PIXEL = 10.0  # times its width; a header that says more is not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceView:
    """How stored pixels are turned: first swapped, then mirrored."""

    is_swapped: bool = False
    is_mirrored: bool = False
    is_upside_down: bool = False

    def turned(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return a view of (H, W) or (H, W, channels) pixels, as shown."""
        pixels = pixels.swapaxes(0, 1) if self.is_swapped else pixels
        return pixels[:: -1 if self.is_upside_down else 1, :: -1 if self.is_mirrored else 1]

    @property
    def words(self) -> str:
        """What was done, for people."""
        done = {
            "rows and columns swapped": self.is_swapped,
            "mirrored left to right": self.is_mirrored,
            "turned upside down": self.is_upside_down,
        }
        return ", then ".join(word for word, is_done in done.items() if is_done) or "as stored"


AS_STORED = SliceView()


def view_of(row: NDArray[np.float64], column: NDArray[np.float64]) -> tuple[Plane, SliceView]:
    """Return the nearest plane, and how to turn a slice of it.

    Args:
        row: Direction in which the column number rises, (3,), of length 1.
        column: Direction in which the row number rises, at a right angle to ``row``.
    """
    normal = np.cross(row, column)
    plane = _PLANES[int(np.argmax(np.abs(normal)))]
    across, down = (np.array(axis, dtype=np.float64) for axis in _SHOWN[plane])
    kept = abs(row @ across) + abs(column @ down)
    is_swapped = bool(abs(row @ down) + abs(column @ across) > kept)
    shown_row, shown_column = (column, row) if is_swapped else (row, column)
    return plane, SliceView(
        is_swapped=is_swapped,
        is_mirrored=bool(shown_row @ across < 0),
        is_upside_down=bool(shown_column @ down < 0),
    )


def geometry_of(
    row: NDArray[np.float64],
    column: NDArray[np.float64],
    position: NDArray[np.float64],
    *,
    spacing: tuple[float, float] | None,
    size: tuple[int, int],
) -> tuple[Geometry, SliceView] | None:
    """Return how a slice lies and is shown; None if the directions are not at a right angle or no directions.

    Args:
        row: Direction in which the column number rises, (3,).
        column: Direction in which the row number rises, (3,).
        position: Of the first pixel, (3,), mm.
        spacing: Between rows and between columns, mm, as stored.
        size: Rows and columns, as stored.
    """
    if not np.isfinite(position).all() or np.abs(position).max() > _FARTHEST_MM:
        return None
    found = _lie_of((*row.tolist(), *column.tolist()))
    if found is None:
        return None
    plane, view, normal = found
    resampled = square_size(size, spacing)
    words = view.words + (", resampled to square pixels" if resampled else "")
    if spacing and resampled:
        spacing = (min(spacing), min(spacing))
    elif spacing and view.is_swapped:
        spacing = (spacing[1], spacing[0])
    geometry = Geometry(
        plane=plane,
        tilt_degrees=float(np.degrees(np.arccos(min(1.0, np.abs(normal).max())))),
        normal=(float(normal[0]), float(normal[1]), float(normal[2])),
        position_mm=float(position @ normal),
        shown=words,
        spacing_mm=spacing,
    )
    return geometry, view


@functools.lru_cache(maxsize=64)  # most slices of a volume lie alike
def _lie_of(
    directions: tuple[float, ...],
) -> tuple[Plane, SliceView, NDArray[np.float64]] | None:
    """Return plane, view and normal of length 1, whose largest part is positive; None if they are no directions.

    Args:
        directions: Row, then column, (6,).
    """
    row, column = np.array(directions[:3]), np.array(directions[3:])
    if not np.isfinite(directions).all():
        return None
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > _SKEW or abs(row @ column) > _SKEW:
        return None
    row, column = row / lengths[0], column / lengths[1]
    normal = np.cross(row, column)
    normal = normal / np.linalg.norm(normal)
    if normal[np.argmax(np.abs(normal))] < 0:
        normal = -normal
    normal = normal + 0.0  # no negative zeros
    normal.flags.writeable = False
    return *view_of(row, column), normal


def square_size(
    size: tuple[int, int], spacing: tuple[float, float] | None
) -> tuple[int, int] | None:
    """Return (rows, columns) with square pixels, never fewer than there are; None if they stay as they are.

    Args:
        size: Rows and columns.
        spacing: Between rows and between columns; any unit.
    """
    if spacing is None or not 1 / _LONGEST_PIXEL <= spacing[0] / spacing[1] <= _LONGEST_PIXEL:
        return None
    if abs(spacing[0] / spacing[1] - 1) <= _SQUARE:
        return None
    rows, columns = (
        round(number * gap / min(spacing)) for number, gap in zip(size, spacing, strict=True)
    )
    fits = max(rows, columns) <= MAX_SIDE and rows * columns <= MAX_PIXELS
    return (rows, columns) if fits else None


def shown_image(
    grey: NDArray[np.uint8], view: SliceView, spacing: tuple[float, float] | None
) -> Image.Image:
    """Return a slice as mode ``L``, turned, with square pixels.

    Args:
        grey: (H, W), as stored.
        view: How to turn it.
        spacing: Between rows and between columns, as stored.
    """
    square = square_size((grey.shape[0], grey.shape[1]), spacing)
    image = Image.fromarray(np.ascontiguousarray(grey))
    if (
        square
    ):  # before it is turned, while rows are still rows; bilinear makes no new bright or dark rims
        image = image.resize((square[1], square[0]), Image.Resampling.BILINEAR)
    return Image.fromarray(np.ascontiguousarray(view.turned(np.asarray(image))))
