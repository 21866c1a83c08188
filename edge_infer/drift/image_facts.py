"""Statistics of an image as the model saw it: what drifts before answers do. Eleven numbers, no pixel.

They are taken of the image at the model's size, so that scanners are compared by what reaches the graph.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["FACTS", "FACT_WORDS", "image_facts"]

#: By name, what each of the numbers is, in their order; grey values are 0..255.
FACT_WORDS: Mapping[str, str] = {
    "mean": "mean grey value",
    "sd": "standard deviation of the grey values",
    "median": "median grey value",
    "p99": "grey value below which 99 % of the pixels lie",
    "background": "share of pixels darker than 16",
    "grey_entropy": "entropy of the grey values, in bits",
    "edges": "root mean square step between neighbouring pixels, over the standard deviation",
    "noise": "standard deviation of the noise (Immerkaer 1996)",
    "head_width": "share of the columns that the head reaches into",
    "head_height": "share of the rows that the head reaches into",
    "asymmetry": "mean difference from the mirror image, over the standard deviation",
}

#: Names of the numbers that ``image_facts`` gives, in their order.
FACTS: tuple[str, ...] = tuple(FACT_WORDS)

#: Darker is background; JPEG and noise leave the background of most scans below it.
_BACKGROUND = 16

#: A row or column that is lighter than background in this share of its pixels has some of the head in it.
_REACHED = 0.05

#: Digits that are kept: a logarithm's last ones differ between processors.
_DIGITS = 6


def image_facts(seen: NDArray[np.uint8]) -> tuple[float, ...]:
    """Return the statistics of one image, finite, in the order of FACTS.

    Args:
        seen: uint8, (H, W), from ``edge_infer.preprocessing.resize_grey``; ``Prediction.seen``.

    Raises:
        ValueError: It is of another shape or type, or smaller than 3 x 3.
    """
    if seen.ndim != 2 or seen.dtype != np.uint8 or min(seen.shape) < 3:
        raise ValueError(f"seen is {seen.dtype} {seen.shape}, expected uint8 (H, W) from 3 x 3")
    counts = np.bincount(seen.ravel(), minlength=256)  # all that does not ask where a pixel lies
    below = np.cumsum(counts)
    pixels = int(below[-1])
    levels = np.arange(256)
    mean = int(counts @ levels) / pixels
    sd = (max(int(counts @ levels**2) / pixels - mean**2, 0.0)) ** 0.5
    shares = counts[counts > 0] / pixels
    spread = max(sd, 1.0)  # an even image has no edges to compare
    wide = seen.astype(np.int16)
    values = (
        mean,
        sd,
        float(np.searchsorted(below, pixels / 2)),
        float(np.searchsorted(below, pixels * 0.99)),
        int(below[_BACKGROUND - 1]) / pixels,
        abs(float(shares @ np.log2(shares))),
        # Squares, since blur only spreads an edge's height over more steps: their sum stays, their squares do not.
        ((_mean_square(np.diff(wide, axis=0)) + _mean_square(np.diff(wide, axis=1))) / 2) ** 0.5
        / spread,
        _noise(wide),
        *_reach(seen >= _BACKGROUND),
        _mean(np.abs(wide - wide[:, ::-1])) / spread,
    )
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def _mean(values: NDArray[np.integer]) -> float:
    return int(values.sum(dtype=np.int64)) / values.size


def _mean_square(steps: NDArray[np.int16]) -> float:
    return _mean(steps.astype(np.int32) ** 2)


def _noise(wide: NDArray[np.int16]) -> float:
    """Estimate the noise, by the mask that edges and slopes cancel out of.

    J. Immerkaer, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 64(2), 1996.
    """
    down = wide[:-2] - 2 * wide[1:-1] + wide[2:]  # second difference along rows: (H - 2, W)
    both = down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]  # and along columns: (H - 2, W - 2)
    return float(np.sqrt(np.pi / 2)) / 6 * _mean(np.abs(both))


def _reach(is_head: NDArray[np.bool_]) -> tuple[float, float]:
    columns = np.count_nonzero(is_head, axis=0) >= _REACHED * is_head.shape[0]
    rows = np.count_nonzero(is_head, axis=1) >= _REACHED * is_head.shape[1]
    return float(columns.mean()), float(rows.mean())
