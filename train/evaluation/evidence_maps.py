"""Evidence as the heat map shows it, in numbers: where it peaks, and how well it fits an outline.

As in ``edge_infer.heatmap``, evidence for a class is taken relative to the mean over all classes, since only
differences between classes change a probability, and it is enlarged bilinearly.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

__all__ = ["best_overlap", "enlarged", "mass_inside", "peak", "relative_evidence", "widened"]


def relative_evidence(evidence: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """Return what each place adds to a class beyond what it adds to the mean class.

    Args:
        evidence: float32, (classes, h, w).
        label: The class.

    Returns:
        (h, w).
    """
    return np.asarray(evidence[label] - evidence.mean(axis=0))


def peak(relative: NDArray[np.float32], shape: tuple[int, int]) -> tuple[float, float]:
    """Find the place of the largest evidence: the centre of the strongest cell, the first if several are equal.

    Bilinear enlargement puts nothing larger between the cells' centres.

    Args:
        relative: (h, w).
        shape: (H, W) of the image.

    Returns:
        Row and column in the image, counted from the upper left corner of its first pixel.
    """
    row, column = np.unravel_index(int(relative.argmax()), relative.shape)
    return (
        (int(row) + 0.5) * shape[0] / relative.shape[0],
        (int(column) + 0.5) * shape[1] / relative.shape[1],
    )


def enlarged(relative: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Enlarge a map to the size of the image, (H, W)."""
    H, W = shape
    image = Image.fromarray(np.asarray(relative, dtype=np.float32))
    return np.asarray(image.resize((W, H), Image.Resampling.BILINEAR))


def widened(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Add all pixels whose centre is no further than ``radius`` from one of the mask's."""
    reach = math.floor(radius)
    steps = np.arange(-reach, reach + 1)
    disc = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float32)
    grey = torch.from_numpy(mask.astype(np.float32))[None, None]  # (1, 1, H, W)
    counts = F.conv2d(grey, torch.from_numpy(disc)[None, None], padding=reach)
    return np.asarray(counts[0, 0].numpy() > 0.5)


def mass_inside(evidence: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return the share of the positive evidence that lies inside (Wang et al. 2020, arXiv 1910.01279, 4.3).

    Args:
        evidence: Enlarged, (H, W).
        mask: (H, W).
    """
    positive = np.maximum(evidence, 0).astype(np.float64)
    total = float(positive.sum())
    return float(positive[mask].sum()) / total if total > 0 else 0.0


def best_overlap(evidence: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return intersection over union at the threshold that suits this image best: an upper bound.

    Args:
        evidence: Enlarged, (H, W).
        mask: (H, W).
    """
    order = np.argsort(-evidence, axis=None)
    inside = np.cumsum(mask.reshape(-1)[order])
    outside = np.arange(1, mask.size + 1) - inside
    return float((inside / (int(mask.sum()) + outside)).max())
