"""EfficientNet-Lite as a graph: ``train.models.efficientnet_lite`` layer by layer.

Everything is an image (B, C, H, W) until the head, and TensorFlow's padding is part of each convolution: no Transpose
and no Pad. onnxruntime then keeps its own layout, blocked in float32 and channels-last in 8 bits, from the first
convolution to the last.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from export.graphs.float_layers import FloatLayers
from export.graphs.weights import Grid
from train.models.efficientnet_lite import FINE_STAGE, EfficientNetLiteClassifier

__all__ = ["add_efficientnet_lite", "block_layers"]


def add_efficientnet_lite(
    model: EfficientNetLiteClassifier, layers: FloatLayers, grid: Grid
) -> Grid:
    """Add the whole model for images of ``grid`` rows and columns; return the grid of its evidence."""
    net: Any = model.backbone
    image, grid = layers.stem_image(
        layers.standardize(), grid, net.conv_stem, net.bn1, "stem", activation="relu6"
    )
    maps: list[tuple[str, Grid, int]] = []
    for number, stage in enumerate(net.blocks, start=1):
        # The first stage has the largest images and the fewest channels: 8 bits lose most there and save no time.
        convolve = layers.stem_image if number == 1 else layers.convolution
        for index, block in enumerate(stage, start=1):
            name = f"stage{number}.block{index}"
            image, grid = _block(block, layers, convolve, image, grid, name)
        if number == min(FINE_STAGE, len(net.blocks)):
            maps.append((image, grid, _channels(stage[-1])))
    image, grid = layers.convolution(
        image, grid, net.conv_head, net.bn2, "features", activation="relu6"
    )
    maps.insert(0, (image, grid, net.conv_head.out_channels))
    return layers.image_head(maps, model.classifier)


def block_layers(block: Any) -> dict[str, tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return the convolutions of one of timm's blocks in order, by what they do; only ``project`` is linear."""
    if hasattr(block, "conv_pwl"):  # an inverted residual
        return {
            "expand": (block.conv_pw, block.bn1),
            "depthwise": (block.conv_dw, block.bn2),
            "project": (block.conv_pwl, block.bn3),
        }
    return {"depthwise": (block.conv_dw, block.bn1), "project": (block.conv_pw, block.bn2)}


def _channels(block: Any) -> int:
    """Return the channels that a block gives."""
    conv, _ = block_layers(block)["project"]
    return conv.out_channels


def _block(
    block: Any,
    layers: FloatLayers,
    convolve: Callable[..., tuple[str, Grid]],
    image: str,
    grid: Grid,
    name: str,
) -> tuple[str, Grid]:
    result, reached = image, grid
    for kind, (conv, norm) in block_layers(block).items():
        activation = "none" if kind == "project" else "relu6"
        result, reached = convolve(
            result, reached, conv, norm, f"{name}.{kind}", activation=activation
        )
    if block.has_skip:
        result = layers.image_sum(image, result, f"{name}.sum")
    return result, reached
