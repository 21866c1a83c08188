"""ViT-B/16: transformers' vision transformer, all weights trainable, with a head whose evidence adds up to the logits.

An image is worth 16x16 words, Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929; transformers' ``ViTModel``.
How ours differs:

- The head reads the class token and the mean of the patch tokens, added, as in ``models.vit``.
- Without pretrained weights, positions, attention and feed-forward layers are drawn as in ``models.vit``.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification, ViTModel

from edge_infer.errors import UnknownModel
from train.models.mimetic import mimetic_query_key, mimetic_value_output, sine_positions
from train.models.output import (
    ClassifierOutput,
    places_with_class_token,
    standardize,
    token_evidence,
)

__all__ = ["VitBaseClassifier", "vit_base"]


class VitBaseClassifier(nn.Module):
    """transformers' ViT with a linear classifier on the mean of class token plus each patch token.

    Args:
        num_classes: Classes of the classifier.
        config: Sizes; the image size is fixed with the positions.
    """

    #: Reads checkpoints of the Hub: transformers knows the parameter names of its older versions.
    pretrained_class: Any = ViTForImageClassification

    def __init__(self, num_classes: int, config: Any) -> None:
        super().__init__()
        self.feature_dim = int(config.hidden_size)
        self.grid = config.image_size // config.patch_size
        self.vit = ViTModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(self.feature_dim, num_classes)
        _initialize(self.vit, config.num_attention_heads, self.grid)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return normalized patch tokens plus the class token, (B, dim, h, w), for pixel_values (B, 3, H, W)."""
        tokens = self.vit(standardize(pixel_values)).last_hidden_state  # (B, 1 + h*w, dim)
        return places_with_class_token(tokens, self.grid)

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, dim, h, w)."""
        return token_evidence(features, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


def _initialize(vit: Any, num_heads: int, grid: int) -> None:
    for module in vit.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    dim = vit.config.hidden_size
    layers: Any = next(module for module in vit.modules() if isinstance(module, nn.ModuleList))
    with torch.no_grad():
        vit.embeddings.position_embeddings.copy_(sine_positions(grid, dim))
        for layer in layers:
            # Query, key, value and output, in this order; their names change with transformers' versions.
            linears = [part for part in layer.attention.modules() if isinstance(part, nn.Linear)]
            first = [*mimetic_query_key(dim, num_heads), *mimetic_value_output(dim)]
            for linear, weight in zip(linears, first, strict=True):
                linear.weight.copy_(weight)


def vit_base(
    num_classes: int,
    image_size: int,
    *,
    patch_size: int = 16,
    hidden_size: int = 768,
    num_hidden_layers: int = 12,
    num_attention_heads: int = 12,
    intermediate_size: int = 3072,
) -> VitBaseClassifier:
    """Build ViT-B/16 (google/vit-base-patch16-224's sizes, 86 M parameters).

    Raises:
        UnknownModel: The patch size does not divide the image size.
    """
    if image_size % patch_size:
        raise UnknownModel(
            f"vit-base: image size {image_size} / patch size {patch_size} must divide without remainder",
            hint="change image_size in the recipe",
        )
    config = ViTConfig(
        image_size=image_size,
        patch_size=patch_size,
        hidden_size=hidden_size,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=num_attention_heads,
        intermediate_size=intermediate_size,
    )
    return VitBaseClassifier(num_classes, config)
