"""A model that is given a share of a batch does what it does of the whole batch: draws, batch norm, gradients."""

from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from own_process import preloaded
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.ops import StochasticDepth
from trained_together import all_well, start_together
from transformers.models.cvt.modeling_cvt import CvtDropPath

from edge_infer.errors import UnknownModel
from train.loop.shares import Share, share_of
from train.loop.whole_batch import WholeBatch
from train.processes import process_number

IMAGES = 7  # of three processes, one does one more


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return preloaded(
        "trained_together",
        "train.loop.shares",
        "torchvision",
        "transformers.models.cvt.modeling_cvt",
    )


def model() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(3, 8, kernel_size=3, bias=False),
        nn.BatchNorm2d(8),
        StochasticDepth(0.4, mode="row"),
        CvtDropPath(0.4),
        nn.Dropout(0.3),
        nn.Conv2d(8, 6, kernel_size=1, bias=False),  # a bias would have no gradient but rounding
        nn.BatchNorm2d(6, affine=False),
        nn.Flatten(),
        nn.Linear(6 * 36, 4),
    )


def a_step(whole: nn.Module, *, bf16: bool = False) -> dict[str, Tensor]:
    """Return everything that a step of training changes."""
    pixel_values = torch.randn(IMAGES, 3, 8, 8, generator=torch.Generator().manual_seed(1)) + 3
    labels = torch.arange(IMAGES) % 4
    torch.manual_seed(2)
    share = share_of(IMAGES)
    with share.as_whole_batch(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        own = whole(share.of(pixel_values))
    logits = share.whole(own).float()
    # Not a mean of the images' losses: only the whole batch has it.
    (F.cross_entropy(logits, labels) * logits.std()).backward()  # type: ignore[no-untyped-call, unused-ignore]
    share.add_gradients(whole)
    gradients = {f"gradient {name}": each.grad for name, each in whole.named_parameters()}
    return {
        "logits": logits.detach(),
        "generator": torch.get_rng_state(),
        **dict(whole.named_buffers()),
        **{name: gradient for name, gradient in gradients.items() if gradient is not None},
    }


def _step_to(folder: Path, bf16: bool = False) -> None:
    save_file(a_step(model(), bf16=bf16), folder / f"{process_number()}.safetensors")


@pytest.mark.parametrize("count", [2, 3])
def test_a_shared_step_is_the_step_of_one_process(
    context: ForkServerContext, tmp_path: Path, count: int
) -> None:
    all_well(start_together(context, count, _step_to, tmp_path))
    alone = a_step(model())
    steps = [load_file(tmp_path / f"{number}.safetensors") for number in range(count)]
    assert len(alone) == 2 + 6 + 6
    for name, expected in alone.items():
        for step in steps:
            assert torch.equal(step[name], steps[0][name]), f"{name}: the same bits on each"
        # Sums in another order, in float32.
        torch.testing.assert_close(steps[0][name], expected, rtol=1e-5, atol=1e-6, msg=name)
    assert torch.equal(steps[0]["generator"], alone["generator"])


def test_a_shared_step_in_bfloat16_is_that_of_one_process_but_for_its_digits(
    context: ForkServerContext, tmp_path: Path
) -> None:
    all_well(start_together(context, 2, _step_to, tmp_path, bf16=True))
    alone, shared = a_step(model(), bf16=True), load_file(tmp_path / "0.safetensors")
    for name, expected in alone.items():
        furthest = float((shared[name].double() - expected.double()).abs().max())
        assert furthest <= 0.02 * float(expected.double().abs().max()), name  # it has 8 bits
    statistics = shared["1.running_var"]
    assert not torch.equal(statistics.bfloat16().float(), statistics), "those are of float32"


def test_a_batch_of_fewer_images_than_processes_is_done_by_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("train.loop.shares.process_count", lambda: 3)
    monkeypatch.setattr("train.loop.shares.process_number", lambda: 2)
    assert share_of(2) == Share((2,))
    assert share_of(8) == Share((3, 3, 2), 2)
    images = torch.arange(8)
    assert share_of(8).of(images).tolist() == [6, 7]
    assert share_of(2).of(images[:2]).tolist() == [0, 1]


def test_a_process_alone_changes_nothing() -> None:
    share = share_of(4)
    images = torch.randn(4, 2)
    assert share.of(images) is images
    assert share.whole(images) is images
    layer = nn.Linear(2, 1)
    with share.as_whole_batch():
        layer(images).sum().backward()
    before = layer.weight.grad
    share.add_gradients(layer)
    assert layer.weight.grad is before


@pytest.mark.parametrize(
    ("draw", "error"),
    [
        (lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1), UnknownModel),
        (lambda x: F.scaled_dot_product_attention(x, x, x, None, 0.1), UnknownModel),
        (lambda x: torch.rand(5) + x, ValueError),  # not a row for each image
    ],
)
def test_draws_that_cannot_be_shared_are_refused(
    draw: Callable[[Tensor], Tensor], error: type[Exception]
) -> None:
    with WholeBatch((2, 2), 0), pytest.raises(error):
        draw(torch.randn(2, 1, 3, 4))


def test_attention_without_dropout_and_evaluation_are_as_ever() -> None:
    values = torch.randn(2, 1, 3, 4)
    norm = nn.BatchNorm2d(1).eval()
    expected = (F.scaled_dot_product_attention(values, values, values), norm(values))
    with WholeBatch((2, 2), 0):
        given = (F.scaled_dot_product_attention(values, values, values), norm(values))
        assert F.dropout(values, 0.5, training=False) is values
    assert all(map(torch.equal, given, expected))
