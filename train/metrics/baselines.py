"""Baselines without learning: what every accuracy should clearly beat.

A model that does not clearly beat the nearest training thumbnail may only have memorised; one that does not beat a
table of image sizes may use the shortcut that width, height and mode are in BRISC 2025.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.data.samples import Sample

__all__ = ["image_size_table", "nearest_neighbour", "nearest_thumbnail", "thumbnails"]

_SIDE = 32


def nearest_neighbour(
    train_pixels: NDArray[np.uint8],
    train_labels: NDArray[np.int64],
    test_pixels: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Give each test image the label of the training image whose 32 x 32 thumbnail correlates most.

    Args:
        train_pixels: uint8, (N, H, W).
        train_labels: (N,).
        test_pixels: uint8, (M, H, W).

    Returns:
        (M,), predicted class ids.
    """
    return nearest_thumbnail(thumbnails(train_pixels), train_labels, thumbnails(test_pixels))


def nearest_thumbnail(
    train: NDArray[np.float32], train_labels: NDArray[np.int64], test: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The same as ``nearest_neighbour``, from thumbnails."""
    nearest: NDArray[np.intp] = (test @ train.T).argmax(axis=1)
    return train_labels[nearest]


def thumbnails(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink images, uint8 (N, H, W), to rows of mean 0 and length 1, (N, 32 * 32)."""
    small = np.stack(
        [
            np.asarray(Image.fromarray(grey).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
            for grey in pixels
        ]
    ).reshape(len(pixels), -1)
    centred = small.astype(np.float32) - small.mean(axis=1, keepdims=True, dtype=np.float32)
    normalized: NDArray[np.float32] = centred / (
        np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6
    )
    return normalized


def image_size_table(train: Sequence[Sample], test: Sequence[Sample]) -> NDArray[np.int64]:
    """Guess the class from width, height and mode alone: the majority of training images that share them.

    Args:
        train: With ``original_size`` and ``original_mode``.
        test: Likewise.

    Returns:
        (len(test),), predicted class ids; a size never seen gets the most frequent class.
    """
    votes: dict[tuple[object, str], Counter[int]] = defaultdict(Counter)
    for sample in train:
        votes[sample.original_size, sample.original_mode][sample.label] += 1
    fallback = Counter(sample.label for sample in train).most_common(1)[0][0]
    guesses = [
        votes[key].most_common(1)[0][0]
        if (key := (sample.original_size, sample.original_mode)) in votes
        else fallback
        for sample in test
    ]
    return np.array(guesses, dtype=np.int64)
