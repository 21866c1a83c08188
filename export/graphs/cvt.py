"""CvT and cvt-slim as graphs: ``train.models.cvt`` and ``train.models.cvt_slim`` layer by layer."""

from typing import Any

import numpy as np

from export.graphs.float_layers import FloatLayers
from export.graphs.weights import Grid, as_array, folded_batch_norm
from train.models.cvt import CvtClassifier
from train.models.cvt_slim import CvtSlimClassifier

__all__ = ["add_cvt", "add_cvt_slim"]


def add_cvt(model: CvtClassifier, layers: FloatLayers, grid: Grid) -> Grid:
    """Add the whole model for images of ``grid`` rows and columns; return the grid of its evidence."""
    tokens = layers.standardize()
    for number, stage in enumerate(_encoder_stages(model), start=1):
        name = f"stage{number}"
        embedding = stage.embedding.convolution_embeddings
        embed = layers.stem if number == 1 else layers.patch_embedding
        tokens, grid = embed(tokens, grid, embedding.projection, f"{name}.embedding")
        tokens = _blocks(stage, layers, tokens, grid, name)
    return _head(model, layers, tokens, grid)


def add_cvt_slim(model: CvtSlimClassifier, layers: FloatLayers, grid: Grid) -> Grid:
    """Add the whole model for images of ``grid`` rows and columns; return the grid of its evidence."""
    parts: Any = model
    image = layers.standardize()
    image, grid = layers.stem_image(
        image, grid, parts.stem[0], parts.stem[1], "stem", activation="relu"
    )
    for index, block in enumerate(parts.residual, start=1):
        image, grid = _residual_block(block, layers, image, grid, f"residual{index}")
    (stage,) = _encoder_stages(model)
    embedding = stage.embedding.convolution_embeddings
    tokens, grid = layers.image_embedding(image, grid, embedding.projection, "stage4.embedding")
    tokens = _blocks(stage, layers, tokens, grid, "stage4")
    return _head(model, layers, tokens, grid)


def _encoder_stages(model: CvtClassifier | CvtSlimClassifier) -> Any:
    cvt: Any = model.cvt
    return cvt.encoder.stages


def _blocks(stage: Any, layers: FloatLayers, tokens: str, grid: Grid, name: str) -> str:
    normalization = stage.embedding.convolution_embeddings.normalization
    tokens = layers.layer_norm(tokens, normalization, f"{name}.embedding.norm")
    for index, block in enumerate(stage.layers, start=1):
        tokens = _block(block, layers, tokens, grid, f"{name}.block{index}")
    return tokens


def _head(
    model: CvtClassifier | CvtSlimClassifier, layers: FloatLayers, tokens: str, grid: Grid
) -> Grid:
    normed = layers.layer_norm(tokens, model.layernorm, "norm")
    return layers.head(normed, grid, model.classifier)


def _residual_block(
    block: Any, layers: FloatLayers, image: str, grid: Grid, name: str
) -> tuple[str, Grid]:
    """Add one of torchvision's BasicBlocks."""
    first, reached = layers.convolution(
        image, grid, block.conv1, block.bn1, f"{name}.conv1", activation="relu"
    )
    second, reached = layers.convolution(
        first, reached, block.conv2, block.bn2, f"{name}.conv2", activation="none"
    )
    if block.downsample is not None:
        conv, norm = block.downsample
        image, _ = layers.convolution(
            image, grid, conv, norm, f"{name}.shortcut", activation="none"
        )
    return layers.relu(layers.add(image, second, f"{name}.sum"), name), reached


def _block(block: Any, layers: FloatLayers, tokens: str, grid: Grid, name: str) -> str:
    normed = layers.layer_norm(tokens, block.layernorm_before, f"{name}.norm1")
    attended = _attention(block.attention, layers, normed, grid, f"{name}.attention")
    tokens = layers.add(tokens, attended, f"{name}.sum1")
    mlp = block.intermediate.dense, block.output.dense
    return layers.feed_forward(tokens, block.layernorm_after, *mlp, name)


def _attention(attention: Any, layers: FloatLayers, x: str, grid: Grid, name: str) -> str:
    heads = attention.attention  # transformers' CvtSelfAttention
    projected, lengths = [], []
    for which in ("query", "key", "value"):
        part = getattr(heads, f"convolution_projection_{which}").convolution_projection
        folded = folded_batch_norm(part.convolution, part.normalization)
        convolved, reached = layers.depthwise(
            x, grid, part.convolution, *folded, f"{name}.{which}.depthwise"
        )
        linear = getattr(heads, f"projection_{which}")
        factor = np.float32(heads.scale if which == "query" else 1)
        projected.append(
            layers.linear(
                convolved,
                as_array(linear.weight) * factor,
                None if linear.bias is None else as_array(linear.bias) * factor,
                f"{name}.{which}",
            )
        )
        lengths.append(reached[0] * reached[1])
    mixed = layers.attention(
        *projected,
        lengths=(lengths[0], lengths[1]),
        heads=heads.num_heads,
        width=heads.embed_dim,
        name=f"{name}.mix",
    )
    dense = attention.output.dense
    return layers.linear(mixed, as_array(dense.weight), as_array(dense.bias), f"{name}.output")
