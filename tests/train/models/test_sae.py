import pytest
import torch
from torch import Tensor, nn

from edge_infer.errors import UnknownModel
from train.models import create_model
from train.models.output import standardize
from train.models.sae import StackedAutoencoder


@pytest.fixture
def model() -> StackedAutoencoder:
    torch.manual_seed(4)
    model = create_model("sae", 4, image_size=16, sizes={"widths": [20, 12], "evidence_grid": 4})
    assert isinstance(model, StackedAutoencoder)
    for encoder in model.encoders:
        nn.init.normal_(encoder.bias, std=0.3)  # type: ignore[arg-type]
    return model.eval()


@pytest.fixture
def pixel_values() -> Tensor:
    grey = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(5))
    return grey.expand(3, 3, 16, 16)


def test_evidence_is_pixel_times_gradient_by_autograd_plus_an_even_rest(
    model: StackedAutoencoder, pixel_values: Tensor
) -> None:
    standard = standardize(pixel_values).mean(dim=1).flatten(1).requires_grad_()
    hidden = standard
    for encoder in model.encoders:
        hidden = torch.relu(encoder(hidden))
    logits = model.classifier(hidden)
    output = model(pixel_values)
    for label in range(4):
        (gradient,) = torch.autograd.grad(logits[:, label].sum(), standard, retain_graph=True)
        shares = (
            (gradient * standard).detach().view(3, 4, 4, 4, 4).sum(dim=(2, 4))
        )  # cells of 4 x 4
        rest = (logits[:, label] - shares.sum(dim=(1, 2))).detach() / 16
        expected = (shares + rest[:, None, None]) * 16  # its mean is the logit
        torch.testing.assert_close(output.evidence[:, label].detach(), expected, rtol=0, atol=1e-4)


def test_a_layer_learns_from_its_own_loss_alone(
    model: StackedAutoencoder, pixel_values: Tensor
) -> None:
    model.reconstruction_loss(pixel_values, 1).backward()
    learning = {name for name, value in model.named_parameters() if value.grad is not None}
    assert learning == {
        f"{part}.1.{kind}" for part in ("encoders", "decoders") for kind in ("weight", "bias")
    }


def test_the_loss_is_a_share_of_the_variance(
    model: StackedAutoencoder, pixel_values: Tensor
) -> None:
    nn.init.zeros_(model.decoders[0].weight)  # type: ignore[arg-type]
    nn.init.zeros_(model.decoders[0].bias)  # type: ignore[arg-type]
    loss = model.reconstruction_loss(pixel_values, 0).item()
    assert loss == pytest.approx(1.0, abs=1e-4), "nothing rebuilt: all the variance is lost"


def test_a_trained_layer_rebuilds_better(model: StackedAutoencoder, pixel_values: Tensor) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = model.reconstruction_loss(pixel_values, 0).item()
    for _ in range(200):
        optimizer.zero_grad()
        model.reconstruction_loss(pixel_values, 0).backward()
        optimizer.step()
    assert model.reconstruction_loss(pixel_values, 0).item() < 0.3 * first
    with torch.inference_mode():
        rebuilt = model.reconstruct(pixel_values, 1)
        standard = standardize(pixel_values).mean(dim=1)
    assert rebuilt.shape == (3, 16, 16)
    assert float((rebuilt - standard).square().mean()) < 0.3


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UnknownModel, match="16 / evidence grid 5") as refused:
        create_model("sae", 4, image_size=16, sizes={"evidence_grid": 5})
    assert refused.value.exit_code == 34
