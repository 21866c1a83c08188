import pytest
import torch
from torch import Tensor

from edge_infer.contract import LABELS
from train.models.output import ClassifierOutput
from train.models.two_questions import TwoQuestions

HEALTHY = LABELS.index("no_tumor")
TYPES = [index for index in range(len(LABELS)) if index != HEALTHY]


@pytest.fixture
def head() -> TwoQuestions:
    torch.manual_seed(0)
    return TwoQuestions(8, len(LABELS)).eval()


@pytest.fixture
def features() -> Tensor:
    return 2 * torch.randn(5, 8, 3, 4, generator=torch.Generator().manual_seed(1))


def answer(head: TwoQuestions, features: Tensor) -> ClassifierOutput:
    with torch.inference_mode():
        output: ClassifierOutput = head(features)
    return output


def seen_at(*places: tuple[int, int], strength: float = 20.0) -> Tensor:
    """One image whose first channel says where it looks like tumour, (1, 8, 3, 4)."""
    features = torch.zeros(1, 8, 3, 4)
    for row, column in places:
        features[0, 0, row, column] = strength
    return features


@pytest.fixture
def watcher(head: TwoQuestions) -> TwoQuestions:
    """A head whose presence is the first channel, less 10."""
    with torch.no_grad():
        head.presence.weight.zero_()
        head.presence.weight[0, 0] = 1.0
        head.presence.bias.fill_(-10.0)
    return head


def test_shapes(head: TwoQuestions, features: Tensor) -> None:
    output = answer(head, features)
    assert output.logits.shape == (5, 4)
    assert output.embeddings.shape == (5, 8)
    assert output.evidence.shape == (5, 4, 6, 8), "twice as fine as the places"
    assert output.presence is not None
    assert output.presence.shape == (5, 1, 3, 4)
    assert (head.in_features, head.out_features) == (8, 4)


def test_the_mean_of_the_evidence_is_the_logits(head: TwoQuestions, features: Tensor) -> None:
    output = answer(head, features)
    torch.testing.assert_close(output.evidence.mean(dim=(2, 3)), output.logits, rtol=0, atol=1e-5)
    assert float(output.evidence[:, HEALTHY].abs().max()) == 0


def test_the_first_question_is_answered_by_the_map_alone(
    head: TwoQuestions, features: Tensor
) -> None:
    """1 - p(no_tumor) = sigmoid(s): s is the map's mean, weighted by its softmax, then scaled and shifted."""
    with torch.no_grad():
        head.scale.fill_(1.5)
        head.offset.fill_(-0.7)
    output = answer(head, features)
    assert output.presence is not None
    presence = output.presence.flatten(1)
    smooth_maximum = (torch.softmax(2 * presence, dim=1) * presence).sum(dim=1)
    suspicion = 1.5 * smooth_maximum - 0.7
    tumour = 1 - torch.softmax(output.logits, dim=1)[:, HEALTHY]
    torch.testing.assert_close(tumour, torch.sigmoid(suspicion), rtol=0, atol=1e-6)
    assert bool((smooth_maximum <= presence.amax(dim=1)).all())


def test_the_second_question_is_answered_by_the_types_softmax(
    head: TwoQuestions, features: Tensor
) -> None:
    output = answer(head, features)
    pooled = features.mean(dim=(2, 3))  # (B, dim)
    with torch.inference_mode():
        expected = torch.softmax(head.types(pooled), dim=1)
    of_types = torch.softmax(output.logits, dim=1)[:, TYPES]
    shares = of_types / of_types.sum(dim=1, keepdim=True)
    torch.testing.assert_close(shares, expected, rtol=0, atol=1e-5)


def test_a_single_suspicious_place_decides(watcher: TwoQuestions) -> None:
    healthy = torch.softmax(answer(watcher, seen_at()).logits, dim=1)[0, HEALTHY]
    assert float(healthy) > 0.999
    output = answer(watcher, seen_at((2, 1)))
    assert float(torch.softmax(output.logits, dim=1)[0, HEALTHY]) < 1e-3
    winner = int(output.logits[0].argmax())
    assert winner != HEALTHY
    assert strongest_place(output.evidence[0, winner]) == (2, 1)


def strongest_place(evidence: Tensor) -> tuple[int, int]:
    """Row and column of the place, given evidence that is twice as fine."""
    row, column = divmod(int(evidence.argmax()), evidence.shape[1])
    return row // 2, column // 2


def test_evidence_of_a_tumour_lies_where_it_is_seen(watcher: TwoQuestions) -> None:
    evidence = answer(watcher, seen_at((0, 3))).evidence[0, TYPES].abs()  # (types, 6, 8)
    reached = evidence.amax(dim=0)
    assert float(reached[:3, 5:].min()) > 0
    reached[:3, 5:] = 0
    assert float(reached.max()) < 1e-4, "no further than half a place around it"


def test_between_two_places_is_where_a_tumour_in_both_is_shown(watcher: TwoQuestions) -> None:
    """A tumour at the corner of four places reaches all of them, one of them most."""
    around = torch.zeros(1, 8, 3, 4)
    around[0, 0, 1:, 1:3] = torch.tensor([[20.0, 19.7], [19.7, 19.4]])
    output = answer(watcher, around)
    evidence = output.evidence[0, int(output.logits[0].argmax())]
    assert divmod(int(evidence.argmax()), 8) == (3, 3), "the side of the place towards the others"


def test_shuffled_places_change_no_answer(head: TwoQuestions, features: Tensor) -> None:
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    shuffled = features.flatten(2)[:, :, order].unflatten(2, (3, 4))
    before, after = answer(head, features), answer(head, shuffled)
    torch.testing.assert_close(after.logits, before.logits, rtol=0, atol=1e-5)


def test_a_mirrored_map_has_mirrored_evidence(head: TwoQuestions, features: Tensor) -> None:
    before, after = answer(head, features), answer(head, features.flip(3))
    torch.testing.assert_close(after.evidence.flip(3), before.evidence, rtol=0, atol=1e-4)


def test_before_training_most_places_look_healthy() -> None:
    torch.manual_seed(0)
    fresh = TwoQuestions(64, len(LABELS))
    output = answer(fresh, torch.zeros(1, 64, 7, 7))
    assert output.presence is not None
    assert float(torch.sigmoid(output.presence).max()) == pytest.approx(0.119, abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("strength", [1.0, 300.0])
def test_under_autocast_everything_stays_finite(
    head: TwoQuestions, features: Tensor, dtype: torch.dtype, strength: float
) -> None:
    exact = answer(head, strength * features)
    with torch.autocast("cpu", dtype=dtype):
        rounded = head(strength * features)
        loss = torch.nn.functional.cross_entropy(
            rounded.logits.float(), torch.tensor([0, 1, 2, 3, 0])
        )
    loss.backward()
    assert all(bool(output.isfinite().all()) for output in rounded)
    assert all(
        parameter.grad is not None and bool(parameter.grad.isfinite().all())
        for parameter in head.parameters()
    )
    scale = max(1.0, float(exact.logits.abs().max()))
    assert float((rounded.logits.detach() - exact.logits).abs().max()) < 0.03 * scale


def test_both_questions_learn_from_a_label(head: TwoQuestions, features: Tensor) -> None:
    labels = torch.full((5,), HEALTHY)
    torch.nn.functional.cross_entropy(head(features).logits, labels).backward()
    assert head.presence.bias.grad is not None
    assert float(head.presence.bias.grad) > 0, "fewer tumours next time"
    assert head.types.weight.grad is not None
    assert float(head.types.weight.grad.abs().max()) < 1e-6, "a healthy head has no type"
