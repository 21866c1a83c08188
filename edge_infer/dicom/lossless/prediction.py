"""From the differences of JPEG Lossless to pixels: what each was predicted from, ITU-T T.81 annex H.1.1.

Predictors are of the pixels to the left (a), above (b) and above to the left (c), and all arithmetic is modulo 2**16.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["undo_prediction"]

_MODULO = 0xFFFF


def undo_prediction(
    differences: NDArray[np.int64], predictor: int, first: int
) -> NDArray[np.int64]:
    """Return the pixels of an image, or of a part of it between restarts.

    Args:
        differences: (H, W).
        predictor: 1 to 7.
        first: What the first pixel was predicted to be.
    """
    pixels = np.empty_like(differences)
    pixels[0] = (
        first + np.cumsum(differences[0])
    ) & _MODULO  # the first line is predicted from the left
    for number in range(1, len(pixels)):
        pixels[number] = _line(pixels[number - 1], differences[number], predictor)
    return pixels


def _line(
    above: NDArray[np.int64], differences: NDArray[np.int64], predictor: int
) -> NDArray[np.int64]:
    """Return a line; its first pixel is predicted from above."""
    if predictor == 2:
        return (above + differences) & _MODULO
    if predictor == 3:
        return (np.concatenate([above[:1], above[:-1]]) + differences) & _MODULO
    if predictor in (6, 7):
        return _one_by_one(above, differences, predictor)
    rising = np.zeros_like(above)  # b - c
    rising[1:] = above[1:] - above[:-1]
    steps = differences + {1: 0 * rising, 4: rising, 5: rising >> 1}[predictor]
    line: NDArray[np.int64] = (above[0] + np.cumsum(steps)) & _MODULO
    return line


def _one_by_one(
    above: NDArray[np.int64], differences: NDArray[np.int64], predictor: int
) -> NDArray[np.int64]:
    over, steps = above.tolist(), differences.tolist()
    left = (over[0] + steps[0]) & _MODULO
    line = [left]
    for column in range(1, len(over)):
        b, c = over[column], over[column - 1]
        predicted = b + ((left - c) >> 1) if predictor == 6 else (left + b) >> 1
        left = (predicted + steps[column]) & _MODULO
        line.append(left)
    return np.array(line, dtype=np.int64)
