"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, made for 8-bit products.

EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. Tan, Le; 2019.
https://arxiv.org/abs/1905.11946. The Lite family is Google's of 2020 (tensorflow/tpu, efficientnet/lite). The layers
are timm's ``tf_efficientnet_lite*``, whose padding is TensorFlow's, so that Google's ImageNet weights fit
(``train.imagenet_weights``). How ours differs: no average pooling and no layer of 1,000 classes; a head whose evidence
adds up (``train.models.heads``), which also sees the finer feature map before the last one: a tumour is often smaller
than a place of 32 x 32 pixels.
"""

from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_infer.errors import UnknownModel
from train.models.heads import classify, new_head
from train.models.output import ClassifierOutput, standardize

__all__ = ["FINE_STAGE", "SCALES", "EfficientNetLiteClassifier", "efficientnet_lite"]

#: Of the family, those with ImageNet weights: wider and deeper from 0 to 2.
SCALES = (0, 1, 2)

_OUTPUT_STRIDES = (16, 32)

#: Number of the last stage of blocks with places of 16 x 16 pixels, counted from 1.
FINE_STAGE = 5

_COARSEST = 32  # pixels of a side of the largest places


class EfficientNetLiteClassifier(nn.Module):
    """EfficientNet-Lite's features and a head.

    Args:
        num_classes: Classes of the classifier.
        scale: In ``SCALES``.
        output_stride: Pixels of the image from one place of the last feature map to the next: 32, or 16 for a finer
            map of the same weights, at twice the cost. Evidence has a place for every 16 pixels in either case.
        head: In ``train.models.heads``.

    Raises:
        UnknownModel: There is no such scale, output stride or head.
    """

    def __init__(self, num_classes: int, *, scale: int, output_stride: int, head: str) -> None:
        super().__init__()
        if scale not in SCALES or output_stride not in _OUTPUT_STRIDES:
            raise UnknownModel(
                f"efficientnet-lite: scale {scale!r} and output stride {output_stride!r}, expected one of {SCALES} "
                f"and one of {_OUTPUT_STRIDES}",
                hint="change [model] in the recipe",
            )
        self.scale = scale
        self.backbone = timm.create_model(
            f"tf_efficientnet_lite{scale}",
            pretrained=False,
            output_stride=output_stride,
            num_classes=0,
        ).to(memory_format=torch.channels_last)
        fine = list(self.backbone.blocks)[FINE_STAGE - 1][-1]
        self.feature_dim = int(self.backbone.num_features) + int(fine.conv_pwl.out_channels)
        self.classifier = new_head(head, self.feature_dim, num_classes)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return features of places of 16 x 16 pixels, (B, 1280 + 112, H/16, W/16), for pixel_values (B, 3, H, W).

        The last feature map has 1280 channels and places of 32 x 32 pixels; each is repeated for the four places of
        the finer map before it. Judging both at a place is a fully convolutional network's skip layer (Long et al.
        2014, arXiv 1411.4038).
        """
        standardized = standardize(pixel_values)
        if self.training:  # faster on CPUs; an exported graph does not need it
            standardized = standardized.contiguous(memory_format=torch.channels_last)
        backbone: Any = self.backbone
        fine = backbone.bn1(backbone.conv_stem(standardized))
        for stage in backbone.blocks[:FINE_STAGE]:
            fine = stage(fine)
        coarse = fine
        for stage in backbone.blocks[FINE_STAGE:]:
            coarse = stage(coarse)
        coarse = backbone.bn2(backbone.conv_head(coarse))
        repeated = F.interpolate(coarse, size=fine.shape[2:], mode="nearest")
        return torch.cat([repeated, fine], dim=1)

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, 1392, h, w)."""
        return classify(features, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


def efficientnet_lite(
    num_classes: int,
    image_size: int,
    *,
    scale: int = 0,
    output_stride: int = 32,
    head: str = "two-questions",
) -> EfficientNetLiteClassifier:
    """Build EfficientNet-Lite; scale 0 has 3.4 M parameters without its 1,000 classes.

    Raises:
        UnknownModel: The image size is no multiple of 32, or there is no such scale, output stride or head.
    """
    if image_size % _COARSEST:
        raise UnknownModel(
            f"efficientnet-lite: image size {image_size}, expected a multiple of {_COARSEST}",
            hint="change image_size in the recipe",
        )
    return EfficientNetLiteClassifier(
        num_classes, scale=scale, output_stride=output_stride, head=head
    )
