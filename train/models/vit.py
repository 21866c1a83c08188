"""A vision transformer written by hand, sized for a few thousand images and two CPU cores.

An image is worth 16x16 words, Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, as in the first student
report: patch embedding by a linear layer, class token, learned positions, pre-norm blocks of multi-head attention
(one linear for query, key and value, an output projection) and a feed-forward layer with GELU, a linear head.

- The head reads the class token and the mean of the patch tokens, added. The class token's share is the same at every
  place, so the evidence stays exact: its mean over the places is the logits.
- Positions begin as two-dimensional sine waves and are learned from there; attention begins as in ``models.mimetic``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from edge_infer.errors import UnknownModel
from train.models.heads import classify, new_head
from train.models.mimetic import mimetic_query_key, mimetic_value_output, sine_positions
from train.models.output import ClassifierOutput, places_with_class_token, standardize

__all__ = ["VisionTransformer", "vit"]

_NORM_EPS = 1e-6


class VisionTransformer(nn.Module):
    """Patch tokens and a class token through pre-norm blocks.

    Args:
        num_classes: Classes of the classifier.
        image_size: Side of pixel_values.
        patch_size: Side of a patch; divides ``image_size``.
        dim: Width of a token.
        depth: Blocks.
        num_heads: Attention heads; divides ``dim``.
        mlp_ratio: Width of the feed-forward layer relative to ``dim``.
        drop_path_rate: Stochastic depth of the last block, rising linearly from 0 (arXiv 1603.09382).
        head: In ``train.models.heads``.

    Raises:
        UnknownModel: A size does not divide the other as stated above.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        image_size: int,
        patch_size: int,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        drop_path_rate: float,
        head: str = "mean",
    ) -> None:
        super().__init__()
        if image_size % patch_size or dim % num_heads:
            raise UnknownModel(
                f"vit: image size {image_size} / patch size {patch_size} and width {dim} / heads {num_heads} "
                "must divide without remainder",
                hint="change image_size or [model] in the recipe",
            )
        self.feature_dim = dim
        self.patch_size = patch_size
        self.grid = image_size // patch_size
        self.patch_embedding = nn.Linear(3 * patch_size**2, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(sine_positions(self.grid, dim))
        rates = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.ModuleList(Block(dim, num_heads, mlp_ratio, rate) for rate in rates)
        self.norm = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.classifier = new_head(head, dim, num_classes)
        nn.init.normal_(self.cls_token, std=0.02)
        nn.init.xavier_uniform_(self.patch_embedding.weight)
        nn.init.zeros_(self.patch_embedding.bias)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return normalized patch tokens plus the class token, (B, dim, h, w), for pixel_values (B, 3, H, W)."""
        patches = F.pixel_unshuffle(standardize(pixel_values), self.patch_size)  # (B, 3*p*p, h, w)
        tokens = self.patch_embedding(patches.flatten(2).transpose(1, 2))  # (B, h*w, dim)
        tokens = torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        tokens = tokens + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return places_with_class_token(self.norm(tokens), self.grid)

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, dim, h, w)."""
        return classify(features, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


class Block(nn.Module):
    """Attention and feed-forward layer, each after a layer norm and around a residual connection."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.attention = Attention(dim, num_heads)
        self.norm_mlp = nn.LayerNorm(dim, eps=_NORM_EPS)
        hidden = round(dim * mlp_ratio)
        wide, narrow = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        for layer in (wide, narrow):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.mlp = nn.Sequential(wide, nn.GELU(), narrow)
        self.drop_path = StochasticDepth(drop_path, mode="row")

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, dim) to the same shape."""
        tokens = tokens + self.drop_path(self.attention(self.norm_attention(tokens)))
        mixed: Tensor = tokens + self.drop_path(self.mlp(self.norm_mlp(tokens)))
        return mixed


class Attention(nn.Module):
    """Multi-head self-attention: one linear for query, key and value, an output projection."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        value, output = mimetic_value_output(dim)
        with torch.no_grad():
            self.qkv.weight.copy_(torch.cat([*mimetic_query_key(dim, num_heads), value]))
            self.projection.weight.copy_(output)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.projection.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, dim) to the same shape."""
        heads = self.qkv(tokens).unflatten(2, (3, self.num_heads, -1))  # (B, N, 3, heads, head_dim)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, N, head_dim)
        mixed = F.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.projection(mixed.transpose(1, 2).flatten(2))
        return projected


def vit(
    num_classes: int,
    image_size: int,
    *,
    patch_size: int = 8,
    dim: int = 192,
    depth: int = 6,
    num_heads: int = 3,
    mlp_ratio: float = 4.0,
    drop_path_rate: float = 0.1,
    head: str = "mean",
) -> VisionTransformer:
    """Build the hand-written transformer; 2.7 M parameters by default. Arguments as of ``VisionTransformer``."""
    return VisionTransformer(
        num_classes,
        image_size=image_size,
        patch_size=patch_size,
        dim=dim,
        depth=depth,
        num_heads=num_heads,
        mlp_ratio=mlp_ratio,
        drop_path_rate=drop_path_rate,
        head=head,
    )
