"""Put a part of one image into another without an edge."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve

__all__ = ["Mask", "grown", "seamless"]

Mask: TypeAlias = NDArray[np.bool_]

_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def seamless(
    image: NDArray[np.uint8], region: Mask, donor: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Replace a region by a donor's pixels, shifted smoothly in grey level so that they meet the image at the border.

    The shift is the harmonic function that equals image - donor around the region: Poisson image editing with the
    donor's gradients (Perez, Gangnet, Blake 2003, https://doi.org/10.1145/882262.882269).

    Args:
        image: uint8, (H, W).
        region: bool, (H, W). Pixels at the image's own border stay as they are.
        donor: float32, (H, W), grey levels 0..255; only those in and beside the region count.

    Returns:
        uint8, (H, W).
    """
    inner = region.copy()
    inner[[0, -1], :] = False
    inner[:, [0, -1]] = False
    rows, columns = np.nonzero(inner)
    if not len(rows):
        return image.copy()
    number = np.full(image.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    difference = image.astype(np.float64) - donor
    known = np.zeros(len(rows))
    pairs: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for down, right in _NEIGHBOURS:
        beside = number[rows + down, columns + right]
        border = beside < 0
        known[border] += difference[rows + down, columns + right][border]
        pairs.append((np.flatnonzero(~border), beside[~border]))
    first = np.concatenate([np.arange(len(rows)), *(its for its, _ in pairs)])
    second = np.concatenate([np.arange(len(rows)), *(its for _, its in pairs)])
    values = np.where(first == second, float(len(_NEIGHBOURS)), -1.0)
    matrix = csr_matrix((values, (first, second)), shape=(len(rows), len(rows)))
    shift = spsolve(matrix, known)
    result = image.copy()
    result[rows, columns] = np.clip(np.rint(donor[rows, columns] + shift), 0, 255)
    return result


def grown(mask: Mask, pixels: int) -> Mask:
    """Add all pixels that are at most this many steps (along rows and columns) away."""
    if pixels < 1:
        return mask.copy()
    larger: Mask = binary_dilation(mask, iterations=pixels)
    return larger
