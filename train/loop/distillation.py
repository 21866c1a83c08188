"""The loss with a teacher: labels, the teacher's softened answers, and its features as a guide.

Distilling the knowledge in a neural network, Hinton et al. 2015 (arXiv 1503.02531); locality guidance for vision
transformers on tiny datasets, Li et al. 2022 (arXiv 2207.10026): a transformer trained from scratch on a few thousand
images gains most from imitating the features of a small CNN.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.loop.image_sizes import resized
from train.recipe import Distillation

__all__ = ["Guide", "Teachers", "distillation_loss"]


class Teachers(nn.Module):
    """One or more teachers as one: the mean of their logits, the features of the first.

    Hinton et al. 2015 distil an ensemble the same way; the mean of logits is the geometric mean of the answers.

    A teacher sees the student's views at the size that it learnt at: efficientnet-lite, which learnt at 224 px, is
    right about 67 % of the validation part at 128 px, and about 95 % of the same images enlarged to 224 px
    (docs/experiments.md, line 26).

    Args:
        models: With the project's interface, in evaluation mode.
        sizes: Side of the images that each learnt with.
    """

    def __init__(self, models: Sequence[Any], sizes: Sequence[int]) -> None:
        super().__init__()
        self.models: Any = nn.ModuleList(models).requires_grad_(False)
        self.sizes = tuple(sizes)
        self.feature_dim: int = models[0].feature_dim

    @torch.no_grad()
    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, (B, feature_dim, h, w), and logits, (B, classes), of (B, 3, H, W)."""
        features = [
            model.forward_features(resized(pixel_values, size))
            for model, size in zip(self.models, self.sizes, strict=True)
        ]
        logits = [
            model.forward_head(each).logits.float()
            for model, each in zip(self.models, features, strict=True)
        ]
        return features[0], torch.stack(logits).mean(dim=0)


class Guide(nn.Module):
    """Maps student features onto the teacher's width; thrown away after training.

    Args:
        student_dim: Channels of the student's features.
        teacher_dim: Channels of the teacher's features.
    """

    def __init__(self, student_dim: int, teacher_dim: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(student_dim, teacher_dim, kernel_size=1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return one minus the mean cosine of (B, student_dim, h, w) and (B, teacher_dim, h', w')."""
        projected = self.projection(student).float()
        pooled = F.adaptive_avg_pool2d(projected, (teacher.shape[2], teacher.shape[3]))
        return 1 - F.cosine_similarity(pooled, teacher.float(), dim=1).mean()


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    classification_loss: Tensor,
    settings: Distillation,
) -> Tensor:
    """Mix the loss on the labels with the divergence from the teacher.

    Args:
        student_logits: (B, classes).
        teacher_logits: (B, classes), without gradient.
        classification_loss: Scalar, on the labels.
        settings: Temperature and weight.
    """
    T = settings.temperature  # noqa: N806 - the paper's name
    divergence = F.kl_div(
        F.log_softmax(student_logits.float() / T, dim=1),
        F.softmax(teacher_logits.float() / T, dim=1),
        reduction="batchmean",
    )
    share = settings.logit_weight
    mixed: Tensor = torch.lerp(classification_loss, divergence * T * T, share)
    return mixed
