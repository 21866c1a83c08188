"""CvT-13: transformers' convolutional vision transformer with a head whose evidence adds up.

CvT: Introducing Convolutions to Vision Transformers. Wu, Xiao, Codella, Liu, Dai, Yuan, Zhang; 2021.
https://arxiv.org/abs/2103.15808; reference code microsoft/CvT. How ours differs:

- No class token: the logits are the mean over the last stage's tokens (see ``models.output``). transformers'
  ``CvtForImageClassification`` raises IndexError without a class token (seen in 4.57), so only ``CvtModel`` is used.
  The parameters keep its names (``cvt.*``, ``layernorm.*``, ``classifier.*``), so its checkpoints load.
- Without pretrained weights, a block begins as a small convolution with attention to similar tokens (see
  ``models.cvt_initialization``).

What does not differ, and may surprise: attention is scaled by the full width, not by the width of a head
(microsoft/CvT lib/models/cls_cvt.py:100, and transformers). The pretrained weights expect that.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from transformers import CvtConfig, CvtModel

from train.models.cvt_initialization import initialize_cvt
from train.models.heads import classify, new_head
from train.models.output import ClassifierOutput, standardize

__all__ = ["CvtClassifier", "cvt13", "cvt_test"]


class CvtClassifier(nn.Module):
    """CvT features, layer norm, linear classifier of every token, mean.

    Args:
        num_classes: Classes of the classifier.
        embed_dim: Width of each of the three stages.
        depth: Blocks of each stage.
        num_heads: Heads of each stage.
        drop_path_rate: Stochastic depth of the last stage.
        head: In ``train.models.heads``.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        embed_dim: Sequence[int],
        depth: Sequence[int],
        num_heads: Sequence[int],
        drop_path_rate: float,
        head: str = "mean",
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
        self.classifier = new_head(head, self.feature_dim, num_classes)
        initialize_cvt(self, self.cvt)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return the last stage's feature map, (B, dim, h, w), for pixel_values (B, 3, H, W)."""
        features: Tensor = self.cvt(standardize(pixel_values))[0]
        return features

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, dim, h, w)."""
        normed = self.layernorm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return classify(normed, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


def cvt13(num_classes: int, _image_size: int, *, head: str = "mean") -> CvtClassifier:
    """Build CvT-13 (microsoft/cvt-13's sizes, 19.6 M parameters)."""
    return CvtClassifier(
        num_classes,
        embed_dim=(64, 192, 384),
        depth=(1, 2, 10),
        num_heads=(1, 3, 6),
        drop_path_rate=0.1,
        head=head,
    )


def cvt_test(num_classes: int, _image_size: int, *, head: str = "mean") -> CvtClassifier:
    """Build a small CvT for tests: the same code, and little to compute.

    transformers spreads a stage's drop-path rate over its blocks and takes the value at the stage's index
    (modeling_cvt.py, CvtStage), so a stage needs more blocks than its index.
    """
    return CvtClassifier(
        num_classes,
        embed_dim=(16, 32, 64),
        depth=(1, 2, 3),
        num_heads=(1, 2, 4),
        drop_path_rate=0.1,
        head=head,
    )
