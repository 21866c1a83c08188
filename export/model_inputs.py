"""Grey images together with how they become a model's input, so that the two cannot be mixed up.

All of ``export`` asks for ``pixel_values`` here; no other file calls ``to_pixel_values`` (docs/decisions/0018).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values

__all__ = ["ModelInputs"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelInputs:
    """Images of a model's size that are scaled when they are asked for: in uint8 they take a twelfth of the memory.

    ``inputs[rows]`` with a slice or an array of row numbers gives another ``ModelInputs``; a slice shares the pixels.

    Attributes:
        grey: uint8, (N, H, W), resized to the model's size.
        preprocessor: The model's; it says how they become pixel_values.

    Raises:
        ValueError: ``grey`` has another type or size than the preprocessor asks for.
    """

    grey: NDArray[np.uint8] = field(repr=False)
    preprocessor: PreprocessorConfig

    def __post_init__(self) -> None:
        size = (self.preprocessor.height, self.preprocessor.width)
        if self.grey.dtype != np.uint8 or self.grey.shape[1:] != size:
            raise ValueError(
                f"images are {self.grey.dtype} {self.grey.shape}, expected uint8 (N, {size[0]}, {size[1]})"
            )

    def __len__(self) -> int:
        return len(self.grey)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> "ModelInputs":
        return ModelInputs(self.grey[rows], self.preprocessor)

    def pixel_values(self) -> NDArray[np.float32]:
        """Scale all images: float32, (N, 3, H, W)."""
        return to_pixel_values(self.grey, self.preprocessor)

    def batches(self, size: int) -> Iterator[NDArray[np.float32]]:
        """Yield pixel_values of ``size`` images at a time, in their order; the last batch may be smaller."""
        for start in range(0, len(self), size):
            yield self[start : start + size].pixel_values()
