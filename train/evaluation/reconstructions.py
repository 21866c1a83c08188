"""A plot of what a stacked autoencoder keeps at each depth."""

import io
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from train.models.output import standardize
from train.models.sae import StackedAutoencoder

__all__ = ["plot_reconstructions"]


def plot_reconstructions(
    model: StackedAutoencoder,
    grey: NDArray[np.uint8],
    names: list[str],
    preprocessor: PreprocessorConfig,
    path: Path,
) -> None:
    """Draw each image in a row with its reconstructions from layer 1, 2, ... and their shares of lost variance.

    Args:
        model: Trained.
        grey: uint8, (N, H, W).
        names: A word for each, such as its class.
        preprocessor: Scaling.
        path: PNG to write.
    """
    pixel_values = torch.from_numpy(to_pixel_values(grey, preprocessor))
    depths = len(model.encoders)
    with torch.inference_mode():
        original = standardize(pixel_values).mean(dim=1)  # variance 1, so a mean square is a share
        rebuilt = [model.reconstruct(pixel_values, depth) for depth in range(1, depths + 1)]
    figure = Figure(figsize=(1.7 * (depths + 1), 1.85 * len(grey) + 0.4), layout="constrained")
    grid = figure.subplots(len(grey), depths + 1, squeeze=False)
    for row, axes in enumerate(grid):
        low, high = float(original[row].min()), float(original[row].max())
        for column, cell in enumerate(axes):
            image = original[row] if column == 0 else rebuilt[column - 1][row]
            cell.imshow(image.numpy(), cmap="gray", vmin=low, vmax=high)
            cell.set_axis_off()
            if column == 0:
                cell.set_title(names[row], fontsize=8)
            else:
                width = model.encoders[column - 1].out_features
                lost = float((image - original[row]).square().mean())
                cell.set_title(f"depth {column} ({width}), {100 * lost:.0f} % lost", fontsize=8)
    figure.text(0.995, 0.002, RESEARCH_USE_ONLY, ha="right", va="bottom", fontsize=5, color="0.5")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write_bytes_atomically(path, buffer.getvalue())
