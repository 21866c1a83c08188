"""ResNet-18 from torchvision: the small CNN that teaches the transformer.

Deep residual learning for image recognition. He, Zhang, Ren, Sun; 2015. https://arxiv.org/abs/1512.03385.
Trained from scratch on a few thousand images a CNN learns ten times faster than a CvT, so it is trained first and
guides the CvT (``train.loop.distillation``). It has the same interface as every model and is exported the same way.
"""

import torch
from torch import Tensor, nn
from torchvision.models import resnet18 as torchvision_resnet18

from train.models.output import ClassifierOutput, standardize, token_evidence

__all__ = ["ResNetClassifier", "resnet18"]


class ResNetClassifier(nn.Module):
    """ResNet-18 whose logits are the mean of per-place evidence.

    Args:
        num_classes: Classes of the classifier.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        backbone = torchvision_resnet18(weights=None)
        self.feature_dim = int(backbone.fc.in_features)
        layers = list(backbone.children())[:-2]  # without average pooling and the 1,000-class layer
        self.backbone = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.classifier = nn.Linear(self.feature_dim, num_classes)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return the last feature map, (B, 512, H/32, W/32)."""
        standardized = standardize(pixel_values)
        if self.training:  # a third faster on CPUs; the exported graph does not need it
            standardized = standardized.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.backbone(standardized)
        return features

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a feature map (B, 512, h, w)."""
        return token_evidence(features, self.classifier)

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        return self.forward_head(self.forward_features(pixel_values))


def resnet18(num_classes: int, _image_size: int) -> ResNetClassifier:
    """Build ResNet-18 (11.2 M parameters)."""
    return ResNetClassifier(num_classes)
