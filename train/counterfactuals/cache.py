"""The counterfactual images of a training part, made once and kept on disk."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN
from train.counterfactuals.twins import Twin, harmless, pasted, removed
from train.data.cached_rows import Columns, cached_rows
from train.data.samples import Progress

__all__ = ["TwinCache", "TwinSource"]

_FORMAT = 1
_BRAIN_NEGATIVE = BRAIN.names.index("no_tumor")
_NONE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSource:
    """The images that counterfactual images are made from, all at one size.

    Attributes:
        key: Changes whenever they do: the keys of the caches of images and of masks.
        pixels: uint8, (M, H, W).
        masks: Of tumours, uint8, (M, H, W), 255 inside.
        known: Whether an image's mask is known, bool, (M,).
        rows: The training part, N indices into these arrays.
        labels: Class ids of ``rows``, N of them.
        negative_id: Class id of the negative class, which an image without its tumour shows.
    """

    key: str
    pixels: NDArray[np.uint8] = field(repr=False)
    masks: NDArray[np.uint8] = field(repr=False)
    known: NDArray[np.bool_] = field(repr=False)
    rows: Sequence[int] = field(repr=False)
    labels: Sequence[int] = field(repr=False)
    negative_id: int = _BRAIN_NEGATIVE

    def has_tumour(self, index: int) -> bool:
        """Whether image ``index`` of the part shows a tumour whose outline is known."""
        return self.labels[index] != self.negative_id and bool(self.known[self.rows[index]])


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinCache:
    """Up to two twins of each of N training images: one with the other answer, one with the same.

    Attributes:
        changed: The tumour removed, or one pasted into a healthy head; uint8, (N, H, W).
        changed_labels: What it shows then, int64, (N,); -1 where there is none.
        changed_masks: Where, uint8, (N, H, W), 255 inside.
        harmless: Changed at a place without tumour, label and mask as before; uint8, (N, H, W).
        has_harmless: bool, (N,).
        negative_id: Class id of the negative class.
    """

    changed: NDArray[np.uint8] = field(repr=False)
    changed_labels: NDArray[np.int64] = field(repr=False)
    changed_masks: NDArray[np.uint8] = field(repr=False)
    harmless: NDArray[np.uint8] = field(repr=False)
    has_harmless: NDArray[np.bool_] = field(repr=False)
    negative_id: int = _BRAIN_NEGATIVE

    @classmethod
    def build(
        cls, source: TwinSource, folder: Path, *, seed: int, progress: Progress | None = None
    ) -> "TwinCache":
        """Open the cache below ``folder``, or make the images: about 0.1 s each on one core.

        Args:
            source: The training part.
            folder: Holds a folder for each cache.
            seed: Of places, and of which tumour is pasted where.
            progress: Called with (done, total); not called if the cache exists.

        Raises:
            CannotWrite: The cache cannot be written.
        """
        count, (height, width) = len(source.rows), source.pixels.shape[1:]
        cache = cached_rows(
            folder / _key(source, seed),
            (3 * count, height, width),
            ("changed_labels", "has_harmless"),
            lambda pixels: _fill(pixels, source, seed, progress),
        )
        labels = np.array(cache.columns["changed_labels"][:count], dtype=np.int64)
        present = np.array(cache.columns["has_harmless"][:count], dtype=np.bool_)
        return cls(
            changed=cache.pixels[:count],
            changed_labels=labels,
            changed_masks=cache.pixels[count : 2 * count],
            harmless=cache.pixels[2 * count :],
            has_harmless=present,
            negative_id=source.negative_id,
        )


def _key(source: TwinSource, seed: int) -> str:
    made_from = f"twins {_FORMAT} {source.key} {seed} {list(source.rows)} {list(source.labels)}"
    if (
        source.negative_id != _BRAIN_NEGATIVE
    ):  # else the key of caches that were made before there were other classes
        made_from += f" {source.negative_id}"
    return hashlib.sha256(made_from.encode()).hexdigest()[:32]


def _fill(
    pixels: NDArray[np.uint8], source: TwinSource, seed: int, progress: Progress | None
) -> Columns:
    count = len(source.rows)
    tumours = [index for index in range(count) if source.has_tumour(index)]
    changed_labels, has_harmless = [_NONE] * count, [False] * count
    for index in range(count) if tumours else ():
        # One generator for each image: the result does not depend on the order of the work.
        rng = np.random.default_rng((seed, index))
        twin, label = _changed(source, index, tumours, rng)
        if twin is not None:
            pixels[index], changed_labels[index] = twin.image, label
            pixels[count + index] = np.where(twin.mask, np.uint8(255), np.uint8(0))
        same = _harmless(source, index, tumours, rng)
        if same is not None:
            pixels[2 * count + index], has_harmless[index] = same.image, True
        if progress is not None:
            progress(index + 1, count)
    # A fact for each row of the array: those of the masks and of the harmless twins have none of their own.
    return {
        "changed_labels": changed_labels + 2 * count * [_NONE],
        "has_harmless": has_harmless + 2 * count * [False],
    }


def _changed(
    source: TwinSource, index: int, tumours: Sequence[int], rng: np.random.Generator
) -> tuple[Twin | None, int]:
    image = np.asarray(source.pixels[source.rows[index]])
    if source.labels[index] != source.negative_id:
        if not source.has_tumour(index):
            return None, _NONE
        return removed(image, _outline(source, index)), source.negative_id
    other = tumours[int(rng.integers(len(tumours)))]
    theirs = np.asarray(source.pixels[source.rows[other]])
    return pasted(image, theirs, _outline(source, other)), source.labels[other]


def _harmless(
    source: TwinSource, index: int, tumours: Sequence[int], rng: np.random.Generator
) -> Twin | None:
    if source.labels[index] != source.negative_id and not source.has_tumour(index):
        return None  # where its tumour lies is unknown, so no place is surely harmless
    shape = _outline(source, tumours[int(rng.integers(len(tumours)))])
    image = np.asarray(source.pixels[source.rows[index]])
    return harmless(image, _outline(source, index), shape, rng)


def _outline(source: TwinSource, index: int) -> NDArray[np.bool_]:
    outline: NDArray[np.bool_] = np.asarray(source.masks[source.rows[index]]) > 0
    return outline
