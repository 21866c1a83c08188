"""What the rules look at: some rows and columns in full, whose number does not grow with the image."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Samples"]

_LINES = 128
_LONGEST = 1024  # pixels of a line, at most: memory stays the same for any image
_EVERY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Pixels of one image, evenly spaced and taken without averaging: letters, noise and thin lines stay as they are.

    Attributes:
        rows: uint8, (at most 128, W); neighbours in a row are the image's own up to a width of 1024.
        few_rows: int16, (at most 32, W), every fourth of them.
        few_columns: uint8, (H, at most 32), H at most 1024.
        grid: uint8, (at most 128, at most 128).
        levels: int64, (256,), how many pixels of ``grid`` have each grey level.
    """

    rows: NDArray[np.uint8]
    few_rows: NDArray[np.int16]
    few_columns: NDArray[np.uint8]
    grid: NDArray[np.uint8]
    levels: NDArray[np.int64]

    @classmethod
    def of(cls, grey: Image.Image) -> Self:
        """Take them from an image of mode ``L``."""
        long_width, long_height = min(grey.width, _LONGEST), min(grey.height, _LONGEST)
        width, height = min(grey.width, _LINES), min(grey.height, _LINES)
        in_rows = _thinned(grey, long_width, height)
        in_grid = _thinned(in_rows, width, height)
        rows = np.asarray(in_rows)
        return cls(
            rows=rows,
            few_rows=rows[::_EVERY].astype(np.int16),
            few_columns=np.asarray(_thinned(grey, max(1, width // _EVERY), long_height)),
            grid=np.asarray(in_grid),
            levels=np.asarray(in_grid.histogram(), dtype=np.int64),
        )


def _thinned(grey: Image.Image, width: int, height: int) -> Image.Image:
    return grey.resize((width, height), Image.Resampling.NEAREST)
