"""Embeddings as few numbers: the same projection for every bundle, drawn once and for all by a hash.

Signs of a hash stand for random directions, whose projections keep distances (Achlioptas 2003, "Database-friendly
random projections"). Nothing is learnt from any image, so the projection says nothing about one.
"""

import functools
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIMENSIONS", "PROJECTION", "project"]

PROJECTION = "signs-shake256-24"

_SIGNS = 24
#: The projections, and the logarithm of the embedding's length.
DIMENSIONS = _SIGNS + 1

_SHORTEST = 1e-12


def project(embedding: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """Return one embedding's direction in few numbers, and its length.

    Args:
        embedding: float, (D,), as the graph gives it.

    Returns:
        float16, (25,); NaN where the embedding is not finite.
    """
    wide = embedding.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        length = max(float(np.linalg.norm(wide)), _SHORTEST)
        places = wide / length @ _signs(len(wide))
        return np.append(places, np.log(length)).astype(np.float16)


@functools.lru_cache(maxsize=4)
def _signs(dim: int) -> NDArray[np.float64]:
    """Return (dim, 24) numbers of +1 and -1; a unit vector's projections have a mean square of 1."""
    drawn = hashlib.shake_256(PROJECTION.encode()).digest((dim * _SIGNS + 7) // 8)
    bits = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8))[: dim * _SIGNS]
    return np.asarray(bits.reshape(dim, _SIGNS) * 2.0 - 1.0, dtype=np.float64)
