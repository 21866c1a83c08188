"""Cached grey pictures as a data set, and their scaling to pixel values in torch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from edge_infer.preprocessing import PreprocessorConfig

__all__ = ["GreyPictures", "pixel_values_from_grey"]


class GreyPictures(Dataset[dict[str, Tensor]]):
    """Rows of a pixel cache with their labels.

    Args:
        pixels: uint8, (N, H, W), usually a memory map.
        rows: Which of them belong to this part.
        labels: One class id for each row of ``rows``.
        with_originals: Hold every row twice; the second time it is marked to stay as it is.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: list[int],
        labels: list[int],
        *,
        with_originals: bool = False,
    ) -> None:
        self.pixels = pixels
        self.varied = len(rows)
        times = 2 if with_originals else 1
        self.rows = rows * times
        self.labels = torch.tensor(labels * times, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        grey = torch.from_numpy(np.array(self.pixels[self.rows[index]]))
        vary = torch.tensor(index < self.varied)
        return {"grey": grey, "labels": self.labels[index], "vary": vary}


def pixel_values_from_grey(grey: Tensor, config: PreprocessorConfig) -> Tensor:
    """Do what ``edge_infer.preprocessing.to_pixel_values`` does, on pictures of range 0..1.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        config: Rescale factor, mean and standard deviation.

    Returns:
        float32, (B, 3, H, W).
    """
    mean = torch.tensor(config.image_mean, device=grey.device).view(1, 3, 1, 1)
    std = torch.tensor(config.image_std, device=grey.device).view(1, 3, 1, 1)
    return (grey * (255 * config.rescale_factor) - mean) / std
