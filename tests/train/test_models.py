from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edge_infer.errors import BundleIncompatible
from train.models import MODEL_TYPES, MODELS, create_model
from train.models.cvt import CvtClassifier
from train.models.output import ClassifierOutput, standardize, token_evidence

SIZES = {"cvt_test": 48, "resnet18": 96}


@pytest.fixture(scope="module", params=list(SIZES))
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(1)
    return create_model(request.param, 4).eval()


@pytest.fixture
def pixel_values(model: Any) -> Tensor:
    side = SIZES["cvt_test" if isinstance(model, CvtClassifier) else "resnet18"]
    grey = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(2))
    return grey.expand(3, 3, side, side)


def answer(model: nn.Module, pixel_values: Tensor) -> ClassifierOutput:
    with torch.inference_mode():
        output = model(pixel_values)
    assert isinstance(output, ClassifierOutput)
    return output


def test_shapes_are_the_contracts(model: Any, pixel_values: Tensor) -> None:
    output = answer(model, pixel_values)
    assert output.logits.shape == (3, 4)
    assert output.embeddings.shape == (3, model.feature_dim)
    assert output.evidence.shape == (3, 4, 3, 3)
    with torch.inference_mode():
        assert model.forward_features(pixel_values).shape == (3, model.feature_dim, 3, 3)


def test_the_mean_of_the_evidence_is_the_logits(model: Any, pixel_values: Tensor) -> None:
    output = answer(model, pixel_values)
    torch.testing.assert_close(output.evidence.mean(dim=(2, 3)), output.logits, rtol=0, atol=1e-5)


def test_the_classifier_of_the_embeddings_is_the_logits(model: Any, pixel_values: Tensor) -> None:
    output = answer(model, pixel_values)
    with torch.inference_mode():
        again = model.classifier(output.embeddings)
    torch.testing.assert_close(again, output.logits, rtol=0, atol=1e-5)


def test_scale_and_offset_of_intensities_do_not_matter(model: Any, pixel_values: Tensor) -> None:
    logits = answer(model, pixel_values).logits
    for scale, offset in ((0.5, 0.2), (3.0, -1.0)):
        other = answer(model, scale * pixel_values + offset).logits
        torch.testing.assert_close(other, logits, rtol=0, atol=1e-3)
    mirrored = answer(model, pixel_values.flip(3)).logits
    assert float((mirrored - logits).abs().max()) > 1e-3, "something else does matter"


def test_a_picture_alone_gets_the_answer_it_gets_among_others(
    model: Any, pixel_values: Tensor
) -> None:
    together = answer(model, pixel_values)
    alone = answer(model, pixel_values[1:2])
    for one, all_of_them in zip(alone, together, strict=True):
        torch.testing.assert_close(one, all_of_them[1:2], rtol=0, atol=1e-5)


def test_a_blank_picture_gets_a_finite_answer(model: Any, pixel_values: Tensor) -> None:
    blank = answer(model, torch.full_like(pixel_values, 0.3))
    assert all(bool(output.isfinite().all()) for output in blank)


def test_gradients_are_finite_under_bf16_autocast(model: Any, pixel_values: Tensor) -> None:
    learning = create_model("cvt_test" if isinstance(model, CvtClassifier) else "resnet18", 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = learning.forward_head(learning.forward_features(pixel_values)).logits  # type: ignore[operator]
        loss = nn.functional.cross_entropy(logits.float(), torch.tensor([0, 1, 2]))
    loss.backward()
    for name, parameter in learning.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
    assert any(float(parameter.grad.abs().max()) > 0 for parameter in learning.parameters())  # type: ignore[union-attr]


def test_the_seed_decides_the_first_weights() -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(create_model("cvt_test", 4).classifier.weight)  # type: ignore[union-attr]
    assert torch.equal(drawn[0], drawn[1])  # type: ignore[arg-type]
    assert not torch.equal(drawn[0], drawn[2])  # type: ignore[arg-type]


def test_standardize_gives_zero_mean_and_unit_variance() -> None:
    pictures = 7 * torch.rand(4, 3, 20, 30, generator=torch.Generator().manual_seed(0)) + 5
    standard = standardize(pictures)
    torch.testing.assert_close(standard.mean(dim=(1, 2, 3)), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        standard.std(dim=(1, 2, 3), unbiased=False), torch.ones(4), rtol=0, atol=1e-4
    )


def test_evidence_says_where_a_feature_lies() -> None:
    classifier = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        classifier.weight.copy_(torch.eye(2))
    features = torch.zeros(1, 2, 2, 3)
    features[0, 1, 0, 2] = 6.0
    output = token_evidence(features, classifier)
    assert output.logits.tolist() == [[0.0, 1.0]]
    assert output.evidence[0, 1].tolist() == [[0.0, 0.0, 6.0], [0.0, 0.0, 0.0]]
    assert output.evidence[0, 0].abs().max() == 0


def test_an_unknown_model_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BundleIncompatible, match="cvt13, cvt_test, resnet18") as refused:
        create_model("vgg", 4)
    assert refused.value.exit_code == 32


def test_every_model_has_a_model_type() -> None:
    assert set(MODEL_TYPES) == set(MODELS)
