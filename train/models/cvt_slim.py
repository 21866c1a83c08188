"""cvt-slim: residual convolutions down to a sixteenth of the image's sides, then CvT's attention over that grid.

CvT (arXiv 2103.15808) has attention in all three stages. Trained without pretrained weights on a few thousand images,
it learns slowly what a convolution has by design: a ResNet-18 reaches in one epoch what CvT-13 reaches in ten, and a
CvT with attention in its last stage alone is still behind (docs/experiments.md). So this model begins with a
convolutional stem (early convolutions help transformers: Xiao et al. 2021, arXiv 2106.14881) and three stages of
residual blocks (He et al. 2015, arXiv 1512.03385). Two CvT blocks, with their convolutional projections, then relate
distant places. It has 4.4 M parameters by default, and an image of 192 px takes less time than CvT-13 takes for one of
128 px.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1
from transformers import CvtConfig, CvtModel

from train.models.cvt_initialization import initialize_cvt
from train.models.heads import classify, new_head
from train.models.output import ClassifierOutput, standardize

__all__ = ["CvtSlimClassifier", "cvt_slim"]


class CvtSlimClassifier(nn.Module):
    """Stem, stages of residual blocks, one stage of CvT, layer norm, linear classifier of every token, mean.

    Args:
        num_classes: Classes of the classifier.
        widths: Channels of the stem and of each residual stage; the last is the width of the tokens.
        blocks: Residual blocks of each stage.
        depth: Blocks of the CvT stage.
        num_heads: Heads of the CvT stage.
        head: In ``train.models.heads``.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        widths: Sequence[int],
        blocks: Sequence[int],
        depth: int,
        num_heads: int,
        head: str = "mean",
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages = zip(pairwise(widths), blocks, strict=True)
        self.residual = nn.Sequential(
            *(block for (narrow, wide), count in stages for block in _stage(narrow, wide, count))
        )
        self.cvt = CvtModel(
            CvtConfig(
                num_channels=widths[-1],
                patch_sizes=[1],
                patch_stride=[1],
                patch_padding=[0],
                embed_dim=[widths[-1]],
                num_heads=[num_heads],
                depth=[depth],
                mlp_ratio=[4.0],
                attention_drop_rate=[0.0],
                drop_rate=[0.0],
                drop_path_rate=[0.0],
                qkv_bias=[True],
                cls_token=[False],
                qkv_projection_method=["dw_bn"],
                kernel_qkv=[3],
                padding_kv=[1],
                stride_kv=[2],
                padding_q=[1],
                stride_q=[1],
            )
        )
        self.feature_dim = int(widths[-1])
        self.layernorm = nn.LayerNorm(self.feature_dim)
        self.classifier = new_head(head, self.feature_dim, num_classes)
        initialize_cvt(self, self.cvt)
        self.stem.to(memory_format=torch.channels_last)
        self.residual.to(memory_format=torch.channels_last)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return the feature map, (B, dim, H/16, W/16), for pixel_values (B, 3, H, W)."""
        standardized = standardize(pixel_values)
        if self.training:  # a third faster on CPUs; an exported graph does not need it
            standardized = standardized.contiguous(memory_format=torch.channels_last)
        local = self.residual(self.stem(standardized))
        features: Tensor = self.cvt(local.contiguous())[0]
        return features

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, dim, h, w)."""
        normed = self.layernorm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return classify(normed, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


def cvt_slim(
    num_classes: int,
    _image_size: int,
    *,
    widths: Sequence[int] = (32, 64, 128, 256),
    blocks: Sequence[int] = (2, 2, 2),
    depth: int = 2,
    num_heads: int = 4,
    head: str = "mean",
) -> CvtSlimClassifier:
    """Build cvt-slim; a recipe can set its sizes under ``[model]``."""
    return CvtSlimClassifier(
        num_classes,
        widths=widths,
        blocks=blocks,
        depth=depth,
        num_heads=num_heads,
        head=head,
    )


def _stage(channels_in: int, channels: int, blocks: int) -> list[nn.Module]:
    """Return residual blocks, the first of which halves rows and columns."""
    shortcut = nn.Sequential(conv1x1(channels_in, channels, 2), nn.BatchNorm2d(channels))
    first = BasicBlock(channels_in, channels, stride=2, downsample=shortcut)
    return [first, *(BasicBlock(channels, channels) for _ in range(blocks - 1))]
