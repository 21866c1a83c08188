"""How a NIfTI volume lies, in mm: which of the two transforms of its header is used, and what to say of the other.

NIfTI states a volume's place twice, as a quaternion (``qform``) and as a matrix (``sform``); the matrix is used where
both are stated, as in nibabel. They may name two spaces, so a shift or a tilt between them is only said. But where one
says left and the other right, nothing in the file tells which is true.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import UnsupportedImage

__all__ = ["Lie", "lie_of"]

Lie = tuple[NDArray[np.float64] | None, tuple[float, float, float] | None, tuple[str, ...]]

_FARTHEST_MM = 100_000.0
_UNIT_BITS = 7
#: ``xyzt_units`` of nifti1.h: metres and micrometres; 2 is mm, and 0, unknown, means mm everywhere.
_MM: dict[int, tuple[float, str]] = {1: (1000.0, "metres"), 3: (0.001, "micrometres")}
_SAME_MM, _SAME_SHARE, _SAME_DEGREES = 1.0, 0.02, 1.0
_ENDS = (("left", "right"), ("back", "front"), ("feet", "head"))


def lie_of(header: Any, name: str) -> Lie:
    """Return the affine (4, 4) in mm or None, the spacing in mm or None, and warnings.

    Args:
        header: nibabel's.
        name: As shown.

    Raises:
        UnsupportedImage: Quaternion and matrix disagree about where an axis runs, left and right among others.
    """
    scale, unit = _MM.get(int(header["xyzt_units"]) & _UNIT_BITS, (1.0, ""))
    warnings = [f"sizes of the header are in {unit}, and were turned to mm"] if unit else []
    spacing = np.array([float(gap) for gap in header.get_zooms()[:3]]) * scale
    sform, qform = _matrix(header, "sform", scale), _matrix(header, "qform", scale)
    if sform is not None and qform is not None:
        _check_directions(sform, qform, name)
        if not _is_same(sform, qform, header.get_data_shape()[:3]):
            warnings.append("sform and qform of the header disagree: the sform is used")
    affine = qform if sform is None else sform
    if affine is not None:
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        if np.all(sizes > 0):
            if np.abs(sizes / np.where(spacing > 0, spacing, np.inf) - 1).max() > _SAME_SHARE:
                warnings.append("sizes of voxels (pixdim) disagree with the sform, which is used")
            spacing = sizes
    is_known = bool(np.isfinite(spacing).all() and (spacing >= 0.001).all())
    is_known &= bool((spacing <= 1000).all())
    known = (float(spacing[0]), float(spacing[1]), float(spacing[2])) if is_known else None
    return affine, known, tuple(warnings)


def _matrix(header: Any, which: str, scale: float) -> NDArray[np.float64] | None:
    """Return a transform in mm; None if it is not stated, or cannot be one."""
    if int(header[f"{which}_code"]) <= 0:
        return None
    found = np.array(header.get_sform() if which == "sform" else header.get_qform(), np.float64)
    found[:3] *= scale
    if not np.isfinite(found).all() or np.abs(found).max() > _FARTHEST_MM:
        return None
    return found if np.linalg.norm(found[:3, :3], axis=0).min() > 0 else None


def _check_directions(sform: NDArray[np.float64], qform: NDArray[np.float64], name: str) -> None:
    for axis in range(3):
        one, other = _end(sform[:3, axis]), _end(qform[:3, axis])
        if _degrees(sform[:3, axis], qform[:3, axis]) > 45 and one != other:
            raise UnsupportedImage(
                f"{name}: NIfTI contradicts itself: axis {axis + 1} runs to the {one} by its sform, and to the {other} "
                "by its qform",
                hint="find out which is true, and write it to both (fslorient -copysform2qform or -copyqform2sform)",
            )


def _end(direction: NDArray[np.float64]) -> str:
    largest = int(np.argmax(np.abs(direction)))
    return _ENDS[largest][int(direction[largest] > 0)]


def _degrees(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _is_same(
    sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[int, ...]
) -> bool:
    """Whether both put the corners of the volume at one place, nearly, and turn its axes alike."""
    corners = np.array(
        [[i, j, k, 1] for i in (0, shape[0]) for j in (0, shape[1]) for k in (0, shape[2])]
    )
    apart = np.abs((corners @ (sform - qform).T)[:, :3]).max()
    turned = max(_degrees(sform[:3, axis], qform[:3, axis]) for axis in range(3))
    return bool(apart <= _SAME_MM and turned <= _SAME_DEGREES)
