from typing import Any

import pytest
import torch
from torch import nn

from edge_infer.errors import UnknownModel
from train.models import create_model
from train.models.heads import HEADS, classify, new_head
from train.models.output import token_evidence
from train.models.two_questions import TwoQuestions

#: The models that can have either head, as small as possible: side of the image, and sizes.
SMALL: dict[str, tuple[int, dict[str, Any]]] = {
    "cvt_test": (48, {}),
    "cvt-slim": (48, {"widths": (8, 8, 16, 24), "blocks": (1, 1, 2), "depth": 1, "num_heads": 2}),
    "efficientnet-lite": (64, {}),
    "vit": (48, {"patch_size": 16, "dim": 24, "depth": 2, "num_heads": 3}),
}


@pytest.mark.parametrize("head", list(HEADS))
@pytest.mark.parametrize("name", list(SMALL))
def test_a_recipe_chooses_the_head(name: str, head: str) -> None:
    side, sizes = SMALL[name]
    torch.manual_seed(1)
    model: Any = create_model(name, 4, image_size=side, sizes={**sizes, "head": head}).eval()
    assert isinstance(model.classifier, HEADS[head])
    grey = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        output = model(grey.expand(-1, 3, -1, -1))
    assert output.logits.shape == (2, 4)
    assert (output.presence is not None) == (head == "two-questions")
    torch.testing.assert_close(output.evidence.mean(dim=(2, 3)), output.logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", list(SMALL))
def test_an_unknown_head_is_refused_and_the_known_ones_are_listed(name: str) -> None:
    side, sizes = SMALL[name]
    with pytest.raises(UnknownModel, match="head is 'three', expected one of mean, two-q") as no:
        create_model(name, 4, image_size=side, sizes={**sizes, "head": "three"})
    assert no.value.exit_code == 34
    assert "[model]" in no.value.hint


def test_the_head_is_mean_unless_asked_for_another() -> None:
    for name, (side, sizes) in SMALL.items():
        model: Any = create_model(name, 4, image_size=side, sizes=sizes)
        expected = TwoQuestions if name == "efficientnet-lite" else nn.Linear
        assert type(model.classifier) is expected, name


def test_the_mean_head_is_token_evidence() -> None:
    torch.manual_seed(0)
    head = new_head("mean", 6, 4)
    assert isinstance(head, nn.Linear)
    features = torch.randn(2, 6, 3, 3)
    given, expected = classify(features, head), token_evidence(features, head)
    assert torch.equal(given.evidence, expected.evidence)
    assert given.presence is None
