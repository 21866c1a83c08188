"""A loss on every place: does it show tumour or not?

For heads with a map of presence (``train.models.two_questions``). Dense supervision ties the answer to the tumour
itself: inside one image only the tumour differs from its surroundings, not the scanner, the sequence or the plane.
"""

import torch.nn.functional as F
from torch import Tensor

from edge_infer.classes import BRAIN

__all__ = ["place_loss"]

#: Share of a place inside the outline from which on it shows tumour, and up to which it shows none; those between do
#: not count.
_INSIDE, _OUTSIDE = 0.3, 0.02

#: The place that holds most of a small tumour shows it too, if at least this share is inside.
_LEAST = 0.01


def place_loss(
    presence: Tensor,
    labels: Tensor,
    masks: Tensor,
    known: Tensor,
    *,
    unmixed: Tensor | None = None,
    negative_id: int = BRAIN.names.index("no_tumor"),
) -> Tensor:
    """Return the binary cross entropy of places with tumour plus that of places without, each a mean.

    An image of the negative class has no tumour anywhere. A tumour with an unknown mask does not count.

    Args:
        presence: Log-odds, (B, 1, h, w).
        labels: int64, (B,).
        masks: float32, (B, 1, H, W), 0..1.
        known: bool, (B,).
        unmixed: bool, (B,), False for images that hold parts of another one: they do not count. None: all are whole.
        negative_id: Class id of the negative class.
    """
    healthy = labels == negative_id
    covered = F.adaptive_avg_pool2d(masks, (presence.shape[2], presence.shape[3])).flatten(1)
    covered = covered * (~healthy)[:, None]  # (B, h*w)
    counts = (known | healthy)[:, None]
    if unmixed is not None:
        counts = counts & unmixed[:, None]
    most = covered == covered.amax(dim=1, keepdim=True)
    inside = counts & ((covered > _INSIDE) | (most & (covered > _LEAST)))
    outside = counts & (covered < _OUTSIDE) & ~inside
    log_odds = presence.float().flatten(1)
    missed = (F.softplus(-log_odds) * inside).sum() / inside.sum().clamp(min=1)
    seen = (F.softplus(log_odds) * outside).sum() / outside.sum().clamp(min=1)
    total: Tensor = missed + seen
    return total
