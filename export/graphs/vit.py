"""Vision transformers as graphs: ``train.models.vit`` and transformers' ViT of ``train.models.vit_base``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from export.graphs.float_layers import FloatLayers
from export.graphs.weights import Grid, Weights, as_array
from train.models.vit import VisionTransformer
from train.models.vit_base import VitBaseClassifier

__all__ = ["add_vit", "add_vit_base"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """One pre-norm block, of either model.

    Attributes:
        norms: Before attention and before the feed-forward layer.
        projections: Weight and bias of query, key, value and output.
        mlp: The wide and the narrow linear layer.
        heads: Number of heads of the attention.
    """

    norms: tuple[nn.LayerNorm, nn.LayerNorm]
    projections: list[tuple[Weights, Weights]]
    mlp: tuple[nn.Linear, nn.Linear]
    heads: int


def add_vit(model: VisionTransformer, layers: FloatLayers, grid: Grid) -> Grid:
    """Add the hand-written transformer for images of ``grid`` rows and columns; return the grid of its evidence."""
    patch = model.patch_size
    linear = model.patch_embedding
    # A linear layer over patches is a convolution whose step is its size.
    embedding = nn.Conv2d(3, linear.out_features, kernel_size=patch, stride=patch)
    embedding.weight.data = linear.weight.detach().reshape(-1, 3, patch, patch)
    embedding.bias = linear.bias
    blocks = []
    for block in model.blocks:
        part: Any = block
        qkv, projection = part.attention.qkv, part.attention.projection
        weights, biases = np.split(as_array(qkv.weight), 3), np.split(as_array(qkv.bias), 3)
        blocks.append(
            _Block(
                norms=(part.norm_attention, part.norm_mlp),
                projections=[
                    *zip(weights, biases, strict=True),
                    (as_array(projection.weight), as_array(projection.bias)),
                ],
                mlp=(part.mlp[0], part.mlp[2]),
                heads=part.attention.num_heads,
            )
        )
    return _add(model, embedding, as_array(model.positions), blocks, model.norm, layers, grid)


def add_vit_base(model: VitBaseClassifier, layers: FloatLayers, grid: Grid) -> Grid:
    """Add transformers' ViT for images of ``grid`` rows and columns; return the grid of its evidence."""
    vit: Any = model.vit
    found: Any = next(part for part in vit.modules() if isinstance(part, nn.ModuleList))
    blocks = []
    for block in found:
        # In this order in every version of transformers; their names change.
        linears = [part for part in block.modules() if isinstance(part, nn.Linear)]
        norms = [part for part in block.modules() if isinstance(part, nn.LayerNorm)]
        *attention, wide, narrow = linears
        blocks.append(
            _Block(
                norms=(norms[0], norms[1]),
                projections=[(as_array(part.weight), as_array(part.bias)) for part in attention],
                mlp=(wide, narrow),
                heads=vit.config.num_attention_heads,
            )
        )
    embeddings = vit.embeddings
    projection = embeddings.patch_embeddings.projection
    positions = as_array(embeddings.position_embeddings)
    token = as_array(embeddings.cls_token)
    return _add(model, projection, positions, blocks, vit.layernorm, layers, grid, token=token)


def _add(
    model: Any,
    embedding: nn.Conv2d,
    positions: Weights,
    blocks: list[_Block],
    norm: nn.LayerNorm,
    layers: FloatLayers,
    grid: Grid,
    *,
    token: Weights | None = None,
) -> Grid:
    patches, reached = layers.stem(layers.standardize(), grid, embedding, "embedding")
    length, width = reached[0] * reached[1], embedding.out_channels
    token = as_array(model.cls_token) if token is None else token
    tokens = layers.with_class_token(patches, length, token, positions)
    for index, block in enumerate(blocks, start=1):
        tokens = _block(block, layers, tokens, 1 + length, width, f"block{index}")
    normed = layers.layer_norm(tokens, norm, "norm")
    places = layers.places_with_class_token(normed, length, width)
    return layers.head(places, reached, model.classifier)


def _block(
    block: _Block, layers: FloatLayers, tokens: str, length: int, width: int, name: str
) -> str:
    normed = layers.layer_norm(tokens, block.norms[0], f"{name}.norm1")
    scale = np.float32((width // block.heads) ** -0.5)  # part of the query's weights
    projected = [
        layers.linear(normed, weight * factor, bias * factor, f"{name}.attention.{which}")
        for (weight, bias), factor, which in zip(
            block.projections[:3],
            (scale, np.float32(1), np.float32(1)),
            ("query", "key", "value"),
            strict=True,
        )
    ]
    mixed = layers.attention(
        *projected,
        lengths=(length, length),
        heads=block.heads,
        width=width,
        name=f"{name}.attention.mix",
    )
    attended = layers.linear(mixed, *block.projections[3], f"{name}.attention.output")
    tokens = layers.add(tokens, attended, f"{name}.sum1")
    return layers.feed_forward(tokens, block.norms[1], *block.mlp, name)
