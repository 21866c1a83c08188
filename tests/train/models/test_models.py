import tomllib
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch
from gradients import check_gradients
from own_process import ending_of, preloaded
from torch import Tensor, nn

from edge_infer.errors import UnknownModel
from train.model_names import MODEL_NAMES
from train.models import MODEL_TYPES, MODELS, create_model
from train.models.output import ClassifierOutput, standardize, token_evidence


@dataclass(frozen=True, kw_only=True)
class Small:
    """A model as small as possible, and the shapes of its outputs."""

    image_size: int
    sizes: dict[str, Any] = field(default_factory=dict)
    grid: int = 3  # of the evidence
    feature_grid: int = 3
    no_class_learns: tuple[str, ...] = ()  # parameters that the classes' loss does not reach


SMALL = {
    "cvt-slim": Small(
        image_size=48,
        sizes={"widths": (8, 8, 16, 24), "blocks": (1, 1, 2), "depth": 1, "num_heads": 2},
    ),
    "cvt_test": Small(image_size=48),
    "efficientnet-lite": Small(
        image_size=64, sizes={"scale": 0, "output_stride": 32}, grid=8, feature_grid=4
    ),
    "resnet18": Small(image_size=96),
    "sae": Small(
        image_size=48,
        sizes={"widths": (32, 16), "evidence_grid": 3},
        feature_grid=1,
        no_class_learns=("decoders.",),
    ),
    "vit": Small(image_size=48, sizes={"patch_size": 16, "dim": 24, "depth": 2, "num_heads": 3}),
    "vit-base": Small(
        image_size=48,
        sizes={
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "intermediate_size": 48,
        },
    ),
}


@pytest.fixture(scope="module", params=list(SMALL))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def small(name: str) -> Small:
    return SMALL[name]


def build(name: str) -> Any:
    torch.manual_seed(1)
    return create_model(name, 4, image_size=SMALL[name].image_size, sizes=SMALL[name].sizes)


@pytest.fixture(scope="module")
def model(name: str) -> Any:
    return build(name).eval()


@pytest.fixture
def pixel_values(small: Small) -> Tensor:
    side = small.image_size
    grey = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(2))
    return grey.expand(3, 3, side, side)


def answer(model: nn.Module, pixel_values: Tensor) -> ClassifierOutput:
    with torch.inference_mode():
        output = model(pixel_values)
    assert isinstance(output, ClassifierOutput)
    return output


def given(output: ClassifierOutput) -> list[Tensor]:
    """The outputs that the model has: presence is that of one head only."""
    return [each for each in output if each is not None]


def test_shapes_are_the_contracts(model: Any, small: Small, pixel_values: Tensor) -> None:
    output = answer(model, pixel_values)
    assert output.logits.shape == (3, 4)
    assert output.embeddings.shape == (3, model.feature_dim)
    assert output.evidence.shape == (3, 4, small.grid, small.grid)
    with torch.inference_mode():
        features = model.forward_features(pixel_values)
        again = model.forward_head(features)
    assert features.shape == (3, model.feature_dim, small.feature_grid, small.feature_grid)
    assert torch.equal(again.logits, output.logits), "what is trained is what is exported"


def test_the_mean_of_the_evidence_is_the_logits(model: Any, pixel_values: Tensor) -> None:
    output = answer(model, pixel_values)
    torch.testing.assert_close(output.evidence.mean(dim=(2, 3)), output.logits, rtol=0, atol=1e-5)


def test_the_classifier_of_the_embeddings_is_the_logits(model: Any, pixel_values: Tensor) -> None:
    if not isinstance(model.classifier, nn.Linear):
        pytest.skip("its answer comes from places, not from their mean: test_two_questions.py")
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


def test_images_of_0_to_255_get_the_answer_of_those_of_0_to_1(
    model: Any, pixel_values: Tensor
) -> None:
    """The preprocessing fault of the first reports (docs/preprocessing-fault.md) does no harm here."""
    small, large = (answer(model, (pixel_values * end - 0.5) / 0.5) for end in (1, 255))
    torch.testing.assert_close(large.logits, small.logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(large.evidence, small.evidence, rtol=0, atol=1e-3)


def test_an_image_alone_gets_the_answer_it_gets_among_others(
    model: Any, pixel_values: Tensor
) -> None:
    together = answer(model, pixel_values)
    alone = answer(model, pixel_values[1:2])
    for one, all_of_them in zip(given(alone), given(together), strict=True):
        # Relative too: evidence on one of N places is N times its share of a logit.
        torch.testing.assert_close(one, all_of_them[1:2], rtol=1e-5, atol=1e-5)


def test_a_blank_image_gets_a_finite_answer(model: Any, pixel_values: Tensor) -> None:
    blank = answer(model, torch.full_like(pixel_values, 0.3))
    assert all(bool(output.isfinite().all()) for output in given(blank))


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return preloaded("gradients")


@pytest.mark.parametrize("bf16", [True, False], ids=["bf16", "float32"])
def test_gradients_are_finite_and_memory_stays_whole(
    name: str, small: Small, bf16: bool, context: ForkServerContext
) -> None:
    arguments = (name, small.image_size, small.sizes, small.no_class_learns, bf16)
    assert ending_of(context, check_gradients, *arguments) == "well"


def test_the_seed_decides_the_initial_weights() -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(create_model("cvt_test", 4).classifier.weight)  # type: ignore[union-attr]
    assert torch.equal(drawn[0], drawn[1])  # type: ignore[arg-type]
    assert not torch.equal(drawn[0], drawn[2])  # type: ignore[arg-type]


def test_standardize_gives_zero_mean_and_unit_variance() -> None:
    images = 7 * torch.rand(4, 3, 20, 30, generator=torch.Generator().manual_seed(0)) + 5
    standard = standardize(images)
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
    with pytest.raises(UnknownModel, match=f"expected one of {', '.join(MODEL_NAMES)};") as refused:
        create_model("vgg", 4)
    assert refused.value.exit_code == 34


def test_an_unknown_size_is_refused_and_the_known_ones_are_listed(name: str, small: Small) -> None:
    with pytest.raises(UnknownModel, match=f"{name} has no size paches, width; it has ") as no:
        create_model(name, 4, sizes={**small.sizes, "width": 3, "paches": 8})
    assert no.value.exit_code == 34
    assert "[model]" in no.value.hint
    assert all(size in no.value.message for size in small.sizes)


def test_every_model_is_tested_here_and_has_a_model_type() -> None:
    assert set(MODELS) == set(MODEL_TYPES) == {*MODEL_NAMES, "cvt_test"}
    assert set(MODELS) - set(SMALL) == {"cvt13"}, "cvt_test is its code"


def test_every_file_of_a_model_stands_alone_by_contract() -> None:
    """import-linter checks only the files that pyproject.toml lists: a forgotten one would be free to import others."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["type"] == "independence")
    assert set(contract["modules"]) == {build.__module__ for build in MODELS.values()}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("vit", {"patch_size": 0}),
        ("vit", {"num_heads": 0}),
        ("vit", {"dim": -3}),
        ("vit", {"dim": "wide"}),
        ("sae", {"widths": []}),
    ],
)
def test_a_size_that_cannot_be_is_refused_and_named(name: str, sizes: dict[str, Any]) -> None:
    with pytest.raises(UnknownModel, match=next(iter(sizes))) as refused:
        create_model(name, 4, image_size=32, sizes=sizes)
    assert refused.value.exit_code == 34
    assert "[model]" in refused.value.hint
