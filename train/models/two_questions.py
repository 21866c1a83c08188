"""A head that asks two questions: is there a tumour, and at which place; and if so, which kind.

A classifier of the whole image can tell tumours from healthy heads by anything that differs between the two, such as
the sequence, if training images happen to differ in it (docs/data.md). Here ``no_tumor`` is a statement about every
place: a map says how much each place looks like tumour, it is trained on tumour masks (``train.loop.place_loss``), and
its strongest places alone decide whether there is one. Which kind it is, the types' classifier judges beside it.

Attention pooling as in Ilse et al. 2018, https://arxiv.org/abs/1802.04712, with the map itself as the attention; the
softmax-weighted mean as a smooth maximum as in Pinheiro, Collobert 2015, https://arxiv.org/abs/1411.6228.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_infer.classes import BRAIN
from train.models.output import ClassifierOutput

__all__ = ["ENLARGED", "SHARPNESS", "TwoQuestions"]

#: How much a place counts that is one unit of log-odds above another: e to this power times as much. With 1, two
#: hundred places without tumour would still outweigh a small one.
SHARPNESS = 2.0

#: How many times finer the evidence is than the places, in each direction.
ENLARGED = 2

#: Before training: the log-odds of a place without tumour, as most places are, and what is taken off the strongest.
_FIRST_PRESENCE, _FIRST_OFFSET = -2.0, -1.0


class TwoQuestions(nn.Module):
    """Classify a feature map by its most suspicious places.

    With presence p of each of N places, a = softmax(2 p) over them, and t the logarithm of the types' probabilities:

    - tumour: s = sum of a * (scale * p + offset), where the sum of a * p is a smooth maximum of the map;
    - logits: s + t for each type of tumour, 0 for ``no_tumor``. So 1 - p(no_tumor) = sigmoid(s), and the types'
      shares of it are exp(t);
    - evidence of a type at a place: N * a * (scale * p + offset + t), and 0 for ``no_tumor``. Its mean over the places
      is the logit.

    The evidence is drawn twice as fine, bilinearly, which keeps its mean: a tumour at the corner of four places is then
    shown there, not in the middle of the strongest one.

    ``scale`` and ``offset`` are learned from the labels of whole images. The map alone is too ready to see tumours:
    its loss weighs the few places with tumour as much as all others, and the strongest of many healthy places is high
    by chance.

    The types are judged on the mean over all places: what surrounds a tumour tells its kind as well, and types judged
    on the few places that the map points at overfit (docs/experiments.md, line 24). The evidence puts that judgement
    where the tumour is seen.

    Args:
        dim: Channels of the feature map.
        num_classes: Classes, the negative one among them.
        negative_id: Class id of the negative class: ``no_tumor``, or what says of other images that nothing is there.
    """

    def __init__(
        self, dim: int, num_classes: int, negative_id: int = BRAIN.names.index("no_tumor")
    ) -> None:
        super().__init__()
        self.negative_id = negative_id
        self.presence = nn.Linear(dim, 1)
        self.types = nn.Linear(dim, num_classes - 1)
        self.scale = nn.Parameter(torch.ones(1))
        self.offset = nn.Parameter(torch.full((1,), _FIRST_OFFSET))
        nn.init.constant_(self.presence.bias, _FIRST_PRESENCE)
        self.in_features = dim
        self.out_features = num_classes

    def forward(self, features: Tensor) -> ClassifierOutput:
        """Classify features, (B, dim, h, w)."""
        tokens = features.flatten(2).transpose(1, 2)  # (B, N, dim)
        present = self.presence(tokens).transpose(1, 2).float()  # (B, 1, N)
        where = torch.softmax(SHARPNESS * present, dim=2)
        embeddings = tokens.mean(dim=1)
        kinds = F.log_softmax(self.types(embeddings).float(), dim=1)[:, :, None]  # (B, types, 1)
        suspicion = self.scale * present + self.offset  # (B, 1, N)
        per_place = tokens.shape[1] * where * (suspicion + kinds)  # (B, types, N)
        by_class = torch.cat(
            [
                per_place[:, : self.negative_id],
                torch.zeros_like(present),
                per_place[:, self.negative_id :],
            ],
            dim=1,
        )
        evidence = F.interpolate(
            torch.unflatten(by_class, 2, features.shape[2:]),
            scale_factor=ENLARGED,
            mode="bilinear",
            align_corners=False,
        )
        return ClassifierOutput(
            logits=by_class.mean(dim=2),
            embeddings=embeddings,
            evidence=evidence,
            presence=torch.unflatten(present, 2, features.shape[2:]),
        )
