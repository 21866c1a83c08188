"""A loss on where the evidence is: that of a tumour's class should lie inside the tumour.

The evidence's mean over places is the logits, so a loss on its values would work against the loss on the labels. Only
its shape counts: the evidence of the true class is normalised to mean 0 and variance 1 over the places of an image, and
its softmax is compared with the mask. Scale and offset stay free for the logits. It trains what the pointing game
measures (Zhang et al. 2016, arXiv 1608.00507): whether the strongest place lies inside.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["mask_loss"]

_LEAST = 0.01  # share of one place that a mask must cover


def mask_loss(evidence: Tensor, labels: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    """Return the mean cross entropy, over places, between masks and the evidence for the true class.

    Images with an unknown or empty mask do not count: without a tumour no place is right. A flat map costs the
    logarithm of the number of places; 0 is not reached.

    Args:
        evidence: (B, classes, h, w).
        labels: int64, (B,).
        masks: float32, (B, 1, H, W), 0..1.
        known: bool, (B,).
    """
    target = F.adaptive_avg_pool2d(masks, (evidence.shape[2], evidence.shape[3])).flatten(1)
    covered = target.sum(dim=1, keepdim=True)
    counts = known & (covered[:, 0] > _LEAST)
    target = target / covered.clamp(min=_LEAST)  # (B, h*w), adds up to 1
    own = evidence[torch.arange(len(labels), device=labels.device), labels].float().flatten(1)
    places = F.layer_norm(own, own.shape[1:])  # (B, h*w)
    each = F.cross_entropy(places, target, reduction="none")
    return (each * counts).sum() / counts.sum().clamp(min=1)
