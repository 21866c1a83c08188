"""CvT-13: transformers' convolutional vision transformer with a head whose evidence adds up.

CvT: Introducing Convolutions to Vision Transformers. Wu, Xiao, Codella, Liu, Dai, Yuan, Zhang; 2021.
https://arxiv.org/abs/2103.15808; reference code microsoft/CvT. How ours differs:

- No class token: the logits are the mean over the last stage's tokens (see ``models.output``). transformers'
  ``CvtForImageClassification`` raises IndexError without a class token (seen in 4.57), so only ``CvtModel`` is used.
  Parameter names are kept (``cvt.*``, ``layernorm.*``, ``classifier.*``): its checkpoints load.
- Started from nothing, the weights are drawn so that a block begins as a small convolution with attention to similar
  tokens (see ``models.mimetic``).
- Attention is scaled by the full width, not the head's (microsoft/CvT lib/models/cls_cvt.py:100). That is
  transformers' behaviour too, and the pretrained weights expect it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CvtConfig, CvtModel

from train.models.mimetic import mimetic_query_key, mimetic_value_output
from train.models.output import ClassifierOutput, standardize, token_evidence

__all__ = ["CvtClassifier", "cvt13", "cvt_test", "initialize_cvt"]


class CvtClassifier(nn.Module):
    """CvT features, layer norm, linear classifier of every token, mean.

    Args:
        num_classes: Classes of the classifier.
        embed_dim: Width of each of the three stages.
        depth: Blocks of each stage.
        num_heads: Heads of each stage.
        drop_path_rate: Stochastic depth of the last stage.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        embed_dim: Sequence[int],
        depth: Sequence[int],
        num_heads: Sequence[int],
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        config = CvtConfig(
            embed_dim=list(embed_dim),
            depth=list(depth),
            num_heads=list(num_heads),
            drop_path_rate=[0.0, 0.0, drop_path_rate],
            cls_token=[False, False, False],
        )
        self.cvt = CvtModel(config)
        self.feature_dim = config.embed_dim[-1]
        self.layernorm = nn.LayerNorm(self.feature_dim)
        self.classifier = nn.Linear(self.feature_dim, num_classes)
        initialize_cvt(self, self.cvt)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return the last stage's feature map, (B, dim, h, w), for pixel_values (B, 3, H, W)."""
        features: Tensor = self.cvt(standardize(pixel_values))[0]
        return features

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, dim, h, w)."""
        normed = self.layernorm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return token_evidence(normed, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


def cvt13(num_classes: int, _image_size: int) -> CvtClassifier:
    """Build CvT-13 (microsoft/cvt-13's sizes, 19.6 M parameters)."""
    return CvtClassifier(
        num_classes,
        embed_dim=(64, 192, 384),
        depth=(1, 2, 10),
        num_heads=(1, 3, 6),
        drop_path_rate=0.1,
    )


def cvt_test(num_classes: int, _image_size: int) -> CvtClassifier:
    """Build a small CvT for tests: same code, little work.

    transformers takes one drop-path rate per stage at the stage's own index (modeling_cvt.py, CvtStage), so a stage
    needs more blocks than its index.
    """
    return CvtClassifier(
        num_classes,
        embed_dim=(16, 32, 64),
        depth=(1, 2, 3),
        num_heads=(1, 2, 4),
        drop_path_rate=0.1,
    )


def initialize_cvt(model: nn.Module, cvt: nn.Module) -> None:
    """Draw the first weights.

    Args:
        model: With all its layers.
        cvt: The part of it that is transformers' CvtModel.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d) and module.groups > 1:
            # The centre tap passes its channel on, the others disturb it: the projections begin as near-identity.
            nn.init.normal_(module.weight, std=0.15)
            with torch.no_grad():
                module.weight[:, :, 1, 1] += 1.0
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    for module in cvt.modules():
        if type(module).__name__ == "CvtAttention":
            _initialize_attention(module)


def _initialize_attention(attention: Any) -> None:
    heads = attention.attention  # transformers' CvtSelfAttention
    dim, num_heads = int(heads.embed_dim), int(heads.num_heads)
    query, key = mimetic_query_key(dim, num_heads)
    value, output = mimetic_value_output(dim)
    with torch.no_grad():
        heads.projection_query.weight.copy_(query)
        heads.projection_key.weight.copy_(key)
        heads.projection_value.weight.copy_(value)
        attention.output.dense.weight.copy_(output)
