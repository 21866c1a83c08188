"""Cached grey images as a data set, and their scaling to pixel values in torch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from edge_infer.preprocessing import PreprocessorConfig
from train.counterfactuals.cache import TwinCache
from train.recipe_sections import Counterfactuals

__all__ = ["GreyImages", "pixel_values_from_grey"]


class GreyImages(Dataset[dict[str, Tensor]]):
    """Rows of a pixel cache with their labels.

    Args:
        pixels: uint8, (N, H, W), usually a memory map.
        rows: Which of them belong to this part.
        labels: One class id for each row of ``rows``.
        with_originals: Hold every row twice; the second one is marked not to be augmented.
        copies: A number for each row of ``rows``, the same for copies of one image, to sample one of them; None to use
            every row.
        masks: Of tumours, uint8, (N, H, W), 255 inside, in the order of ``pixels``, and whether each is known, bool,
            (N,); None to leave masks out.
        twins: Counterfactual images of ``rows``, and how often they replace them; needs ``masks``, and not
            ``with_originals``. Those of index i, of n rows, are i + n, which shows another class, and i + 2 * n, which
            shows the same.

    Attributes:
        replace: Probability that an image is replaced by its twin of each kind, float32, (2, n), or None.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: list[int],
        labels: list[int],
        *,
        with_originals: bool = False,
        copies: list[int] | None = None,
        masks: tuple[NDArray[np.uint8], NDArray[np.bool_]] | None = None,
        twins: tuple[TwinCache, Counterfactuals] | None = None,
    ) -> None:
        self.pixels = pixels
        self.masks = masks
        self.twins = None if twins is None else twins[0]
        self.varied = len(rows)
        times = 2 if with_originals else 1
        self.rows = rows * times
        self.labels = torch.tensor(labels * times, dtype=torch.int64)
        self.copies = None if copies is None else _numbered(copies, times)
        self.replace = None if twins is None else _shares(*twins)

    @property
    def drawn(self) -> int:
        """How many images an epoch has: all, or one of each copy group."""
        return len(self) if self.copies is None else int(self.copies.max()) + 1

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if self.twins is not None and index >= len(self.rows):
            return self._twin(*divmod(index, len(self.rows)), self.twins)
        row = self.rows[index]
        item = {
            "grey": torch.from_numpy(np.array(self.pixels[row])),
            "labels": self.labels[index],
            "vary": torch.tensor(index < self.varied),
        }
        if self.masks is not None:
            masks, known = self.masks
            item["mask"] = torch.from_numpy(np.array(masks[row]))
            item["mask_known"] = torch.tensor(bool(known[row]))
        return item

    def _twin(self, kind: int, index: int, twins: TwinCache) -> dict[str, Tensor]:
        if kind == 1:
            item = {
                "grey": torch.from_numpy(np.array(twins.changed[index])),
                "labels": torch.tensor(int(twins.changed_labels[index])),
                "mask": torch.from_numpy(np.array(twins.changed_masks[index])),
            }
        elif kind == 2:
            item = {**self[index], "grey": torch.from_numpy(np.array(twins.harmless[index]))}
        else:
            raise IndexError(f"there are two kinds of twins, not {kind}")
        # Where a twin shows tumour is always known: also that a healthy head shows none.
        return {**item, "vary": torch.tensor(True), "mask_known": torch.tensor(True)}


def pixel_values_from_grey(grey: Tensor, config: PreprocessorConfig) -> Tensor:
    """The same as ``edge_infer.preprocessing.to_pixel_values``, in torch and for images of range 0..1.

    Args:
        grey: float32, (B, 1, H, W), range 0..1.
        config: Rescale factor, mean and standard deviation.

    Returns:
        float32, (B, 3, H, W).
    """
    mean = torch.tensor(config.image_mean, device=grey.device).view(1, 3, 1, 1)
    std = torch.tensor(config.image_std, device=grey.device).view(1, 3, 1, 1)
    return (grey * (255 * config.rescale_factor) - mean) / std


def _numbered(copies: list[int], times: int) -> Tensor:
    """Number copy groups from 0 without gaps; an original and its augmented twin are different images."""
    groups = torch.unique(torch.tensor(copies), return_inverse=True)[1]
    return torch.cat([groups + time * (int(groups.max()) + 1) for time in range(times)])


def _shares(twins: TwinCache, recipe: Counterfactuals) -> Tensor:
    """Return the probability of each kind of twin, 0 where there is none, float32, (2, N)."""
    labels = torch.from_numpy(twins.changed_labels)
    removed = labels == twins.negative_id
    changed = torch.where(removed, float(recipe.removed), float(recipe.pasted)) * (labels >= 0)
    harmless = float(recipe.harmless) * torch.from_numpy(twins.has_harmless)
    return torch.stack([changed, harmless])
