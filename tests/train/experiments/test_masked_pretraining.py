"""The experiment with masked pre-training: what is hidden, what the loss counts, and training from its weights."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from train.models import create_model
from train.models.output import standardize
from train.pretrained import load_pretrained


@pytest.fixture(scope="module")
def experiment(load_experiment: Callable[[str], ModuleType]) -> ModuleType:
    return load_experiment("masked_pretraining")


def test_the_same_share_of_each_image_is_hidden_in_squares(experiment: ModuleType) -> None:
    hidden = experiment.hidden_places(3, 160, torch.Generator().manual_seed(0))
    assert hidden.shape == (3, 1, 160, 160)
    assert hidden.float().mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.6] * 3)
    assert torch.equal(hidden[:, :, ::32, ::32].repeat_interleave(32, 2)[..., 0], hidden[..., 0])
    assert not torch.equal(hidden[0], hidden[1])


def test_the_loss_counts_hidden_pixels_which_the_model_does_not_see(experiment: ModuleType) -> None:
    pixel_values = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    pixel_values = pixel_values.expand(2, 3, 64, 64)
    hidden = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    hidden[:, :, :32] = True
    seen: list[Tensor] = []

    class Knowing(nn.Module):
        def forward_features(self, given: Tensor) -> Tensor:
            seen.append(given)
            right = standardize(pixel_values)[:, :1].clone()
            right[:, :, 32:] = 9.0  # what is not hidden may be guessed as it likes
            return nn.functional.pixel_unshuffle(right, 16)

    loss = experiment.reconstruction_loss(Knowing(), nn.Identity(), pixel_values, hidden)
    assert loss.item() == pytest.approx(0.0, abs=1e-5)
    assert torch.equal(seen[0][:, :, 32:], pixel_values[:, :, 32:])
    assert seen[0][0, :, :32].std() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_a_training_can_begin_with_what_it_writes(
    experiment: ModuleType,
    phantom_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "masked" / "checkpoint"
    given = {
        "--data": phantom_folder,
        "--manifest": phantom_folder / "manifest.csv",
        "--cache": tmp_path / "cache",
        "--output": output,
        "--epochs": 2,
        "--image-size": 64,
    }
    arguments = [str(each) for pair in given.items() for each in pair]
    monkeypatch.setattr(sys, "argv", ["masked_pretraining.py", *arguments])
    monkeypatch.setattr(experiment, "_BATCH", 14)
    experiment.main()
    begun = create_model("cvt-slim", 4, image_size=64)
    load_pretrained(begun, str(output))
    written = create_model("cvt-slim", 4, image_size=64)
    assert not torch.equal(begun.stem[0].weight, written.stem[0].weight)
