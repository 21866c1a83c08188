"""The heads a model can have, by name."""

from torch import Tensor, nn

from edge_infer.errors import UnknownModel
from train.models.output import ClassifierOutput, token_evidence
from train.models.two_questions import TwoQuestions

__all__ = ["HEADS", "classify", "new_head"]

#: ``mean``: a linear classifier of the places' mean. ``two-questions``: see ``train.models.two_questions``.
HEADS = {"mean": nn.Linear, "two-questions": TwoQuestions}


def new_head(name: str, dim: int, num_classes: int) -> nn.Linear | TwoQuestions:
    """Return a head with fresh weights.

    Args:
        name: In ``HEADS``.
        dim: Channels of the feature map.
        num_classes: Classes.

    Raises:
        UnknownModel: There is no such head.
    """
    if name not in HEADS:
        raise UnknownModel(
            f"head is {name!r}, expected one of {', '.join(HEADS)}",
            hint="correct [model] in the recipe",
        )
    head: nn.Linear | TwoQuestions = HEADS[name](dim, num_classes)
    return head


def classify(features: Tensor, head: nn.Linear | TwoQuestions) -> ClassifierOutput:
    """Classify a feature map, (B, dim, h, w), with either head."""
    return head(features) if isinstance(head, TwoQuestions) else token_evidence(features, head)
