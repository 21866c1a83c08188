"""Find images that are copies of each other: same bytes, same pixels, near, mirrored, turned.

Two images are near-copies when their 64-pixel thumbnails correlate by at least 0.985; each is
also compared with the seven mirrored and turned forms of every other. Perceptual hashes work badly
here: pHash joins distinct slices of a head and misses mirrored ones.

Comparing all thumbnails in full would take N * N * 8 * 4096 multiplications. Instead each is
projected to 16 x 16 block means p, and the length r of the remainder is kept. By Cauchy and
Schwarz <x, y> <= <p(x), p(y)> + r(x) r(y), so one product of 257 numbers rules out nearly all
pairs and no true copy; the few that remain are compared in full.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from train.data.samples import Progress

__all__ = ["COPY_KINDS", "THRESHOLD", "THUMBNAIL_SIDE", "Copy", "CopyKind", "find_copies"]

CopyKind: TypeAlias = Literal["bytes", "pixels", "near", "mirrored", "turned"]

#: From the strictest to the loosest.
COPY_KINDS: tuple[CopyKind, ...] = ("bytes", "pixels", "near", "mirrored", "turned")

THUMBNAIL_SIDE = 64
THRESHOLD = 0.985

_BLOCKS = 16
_CHUNK = 1024
_PRODUCT_CELLS = 2**23  # cells of one float32 block of products: 32 MiB
_SLACK = 1e-4  # far above float32 rounding of 257 terms, far below what separates pairs
_MIN_CONTRAST = 2.0  # standard deviation in grey levels; below it an image counts as blank

_Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A pair of images that are copies of each other.

    Attributes:
        first: Row of one, smaller than ``second``.
        second: Row of the other.
        kind: How they differ.
        score: Correlation of the thumbnails in the best orientation; 1 for equal bytes or pixels.
    """

    first: int
    second: int
    kind: CopyKind
    score: float


# Each takes (N, H, W). Mirrored: an odd number of flips; transposing counts as one.
_ORIENTATIONS: tuple[tuple[CopyKind, Callable[[_Floats], _Floats]], ...] = (
    ("near", lambda x: x),
    ("mirrored", lambda x: x[:, :, ::-1]),
    ("mirrored", lambda x: x[:, ::-1]),
    ("turned", lambda x: x[:, ::-1, ::-1]),
    ("turned", lambda x: x.transpose(0, 2, 1)[:, ::-1]),
    ("turned", lambda x: x.transpose(0, 2, 1)[:, :, ::-1]),
    ("mirrored", lambda x: x.transpose(0, 2, 1)),
    ("mirrored", lambda x: x.transpose(0, 2, 1)[:, ::-1, ::-1]),
)


def find_copies(
    thumbnails: NDArray[np.uint8],
    *,
    file_digests: Sequence[str] = (),
    image_digests: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[Copy]:
    """Find all pairs of copies, each once, with its strictest kind.

    Args:
        thumbnails: uint8, (N, 64, 64), the whole image stretched to a square. Blank ones match
            only by digest.
        file_digests: One for each image; equal ones mean copies of the kind ``bytes``.
        image_digests: One for each image; equal ones mean copies of the kind ``pixels``.
        progress: Called with (done, total) as thumbnails are compared.

    Returns:
        Sorted by (first, second).
    """
    if thumbnails.shape[1:] != (THUMBNAIL_SIDE, THUMBNAIL_SIDE) or thumbnails.dtype != np.uint8:
        raise ValueError(
            f"thumbnails are {thumbnails.dtype} {thumbnails.shape}, expected uint8 (N, 64, 64)"
        )
    found: dict[tuple[int, int], Copy] = {}
    for copy in (
        *_equal(file_digests, "bytes"),
        *_equal(image_digests, "pixels"),
        *_alike(thumbnails, progress),
    ):
        found.setdefault((copy.first, copy.second), copy)  # the strictest kind comes first
    return [found[pair] for pair in sorted(found)]


def _equal(digests: Sequence[str], kind: CopyKind) -> Iterator[Copy]:
    rows: dict[str, list[int]] = {}
    for row, digest in enumerate(digests):
        rows.setdefault(digest, []).append(row)
    for same in rows.values():
        for first, second in combinations(same, 2):
            yield Copy(first=first, second=second, kind=kind, score=1.0)


def _alike(thumbnails: NDArray[np.uint8], progress: Progress | None) -> Iterable[Copy]:
    """Compare thumbnails; of several orientations that match, the best one counts."""
    best: dict[tuple[int, int], Copy] = {}
    coarse, lost = _coarse(thumbnails)
    plain = _with_bound(coarse, lost)
    for number, (kind, orient) in enumerate(_ORIENTATIONS):
        turned = _with_bound(orient(coarse), lost)
        for firsts, seconds in _candidates(plain, turned):
            scores = np.einsum(
                "nhw,nhw->n",
                _normalised(thumbnails[firsts]),
                orient(_normalised(thumbnails[seconds])),
            )
            for place in np.flatnonzero(scores >= THRESHOLD):
                first, second = int(firsts[place]), int(seconds[place])
                score = min(float(scores[place]), 1.0)
                if (first, second) not in best or score > best[first, second].score:
                    best[first, second] = Copy(first=first, second=second, kind=kind, score=score)
        if progress is not None:
            progress(number + 1, len(_ORIENTATIONS))
    return best.values()


def _normalised(thumbnails: NDArray[np.uint8]) -> _Floats:
    """Scale each to mean 0 and length 1, (N, 64, 64); blank ones become 0."""
    centred = thumbnails.astype(np.float32)
    centred -= centred.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=(1, 2), keepdims=True))
    blank = length < _MIN_CONTRAST * THUMBNAIL_SIDE  # length = deviation * sqrt(64 * 64)
    return np.where(blank, np.float32(0), centred / np.where(blank, np.float32(1), length))


def _coarse(thumbnails: NDArray[np.uint8]) -> tuple[_Floats, _Floats]:
    """Project to block means, (N, 16, 16), scaled to keep lengths; also return the lost length, (N,)."""
    block = THUMBNAIL_SIDE // _BLOCKS
    coarse = np.empty((len(thumbnails), _BLOCKS, _BLOCKS), np.float32)
    lost = np.empty(len(thumbnails), np.float32)
    for start in range(0, len(thumbnails), _CHUNK):
        fine = _normalised(thumbnails[start : start + _CHUNK])
        # (N, 64, 64) -> (N, 16, 4, 16, 4) -> (N, 16, 16)
        means = fine.reshape(-1, _BLOCKS, block, _BLOCKS, block).mean(axis=(2, 4)) * block
        coarse[start : start + _CHUNK] = means
        kept = np.square(means).sum(axis=(1, 2))
        whole = np.square(fine).sum(axis=(1, 2))
        lost[start : start + _CHUNK] = np.sqrt(np.maximum(whole - kept, 0))
    return coarse, lost


def _with_bound(coarse: _Floats, lost: _Floats) -> _Floats:
    """Join both, (N, 257): the product of two rows is an upper bound of their correlation."""
    return np.concatenate([coarse.reshape(-1, _BLOCKS * _BLOCKS), lost[:, None]], axis=1)


def _candidates(
    plain: _Floats, turned: _Floats
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield (firsts, seconds), first < second, of pairs the bound does not rule out."""
    rows = max(1, _PRODUCT_CELLS // max(1, len(plain)))
    for start in range(0, len(plain), rows):
        # Orientations are symmetric as a set, so first < second covers every pair both ways.
        bounds = plain[start : start + rows] @ turned[start:].T
        firsts, seconds = np.nonzero(bounds >= THRESHOLD - _SLACK)
        upper = firsts < seconds
        firsts, seconds = firsts[upper] + start, seconds[upper] + start
        for part in range(0, len(firsts), _CHUNK):
            yield firsts[part : part + _CHUNK], seconds[part : part + _CHUNK]
