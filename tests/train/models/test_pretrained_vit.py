"""ViT-B/16 from a checkpoint in the Hub's layout, made small here: google/vit-base-patch16-224 has the same names."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from edge_infer.errors import BundleIncompatible, BundleIntegrity
from train.models import create_model
from train.models.output import standardize
from train.pretrained import load_pretrained

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


@pytest.fixture
def hub_folder(tmp_path: Path) -> Path:
    """1,000 classes at 96 px, as transformers writes it."""
    torch.manual_seed(2)
    config = ViTConfig(**SIZES, image_size=96, patch_size=16, num_labels=1000)
    ViTForImageClassification(config).save_pretrained(tmp_path / "hub")
    return tmp_path / "hub"


def small(image_size: int = 96) -> Any:
    torch.manual_seed(0)
    return create_model("vit-base", 4, image_size=image_size, sizes=SIZES).eval()


def test_the_file_has_the_names_of_the_hub(hub_folder: Path) -> None:
    names = set(load_file(hub_folder / "model.safetensors"))
    assert "vit.encoder.layer.1.attention.attention.query.weight" in names
    assert "vit.embeddings.patch_embeddings.projection.weight" in names
    assert "classifier.weight" in names


def test_the_backbone_answers_as_transformers_own_and_the_head_starts_at_random(
    hub_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = small()
    head = model.classifier.weight.clone()
    with caplog.at_level(logging.INFO):
        load_pretrained(model, str(hub_folder))
    reference = ViTForImageClassification.from_pretrained(hub_folder).eval()
    pixel_values = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        tokens = reference.vit(standardize(pixel_values)).last_hidden_state
        expected = F.linear(tokens[:, 0] + tokens[:, 1:].mean(dim=1), head, model.classifier.bias)
        logits = model(pixel_values).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    assert torch.equal(model.classifier.weight, head)
    assert "initialised at random: classifier.bias, classifier.weight" in caplog.text


def test_a_head_of_four_classes_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(3)
    config = ViTConfig(**SIZES, image_size=96, patch_size=16, num_labels=4)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    model = small()
    load_pretrained(model, str(tmp_path))
    given = load_file(tmp_path / "model.safetensors")["classifier.weight"]
    assert torch.equal(model.classifier.weight, given)


def test_positions_of_another_image_size_are_interpolated(hub_folder: Path) -> None:
    path = hub_folder / "model.safetensors"
    tensors = load_file(path)
    name = "vit.embeddings.position_embeddings"
    ramp = torch.arange(6.0).view(1, 1, 6, 1).expand(1, 6, 6, 32).reshape(1, 36, 32)
    tensors[name] = torch.cat(
        [torch.full((1, 1, 32), 9.0), ramp], dim=1
    )  # rises from left to right
    save_file(tensors, path, metadata={"format": "pt"})
    model = small(image_size=192)
    load_pretrained(model, str(hub_folder))
    positions = model.state_dict()[name]
    assert positions.shape == (1, 1 + 12 * 12, 32)
    assert torch.equal(positions[:, 0], tensors[name][:, 0]), "the class token keeps its own"
    grid = positions[0, 1:, 0].view(12, 12)
    torch.testing.assert_close(grid, grid[:1].expand(12, 12), rtol=0, atol=1e-4)
    # Columns of the finer grid lie at (x + 0.5) / 2 - 0.5 of the coarser one.
    torch.testing.assert_close(
        grid[0, 3:9], (torch.arange(3.0, 9.0) + 0.5) / 2 - 0.5, rtol=0, atol=0.1
    )


def test_the_project_s_own_checkpoint_loads_too(tmp_path: Path) -> None:
    torch.manual_seed(8)
    other = create_model("vit-base", 4, image_size=96, sizes=SIZES)
    save_file(other.state_dict(), tmp_path / "model.safetensors")
    model = small()
    load_pretrained(model, str(tmp_path))
    assert all(
        torch.equal(model.state_dict()[name], value) for name, value in other.state_dict().items()
    )


@pytest.mark.parametrize("change", ["drop", "reshape", "extra"])
def test_missing_misshapen_and_unexpected_tensors_are_told_apart(
    hub_folder: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = hub_folder / "model.safetensors"
    tensors = load_file(path)
    name = "vit.encoder.layer.1.output.dense.weight"
    if change == "drop":
        del tensors[name]
    elif change == "reshape":
        tensors[name] = tensors[name][:5].clone()
    else:
        tensors["vit.pooler.dense.weight"] = torch.zeros(32, 32)
    save_file(tensors, path, metadata={"format": "pt"})
    model = small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    if change == "extra":
        with caplog.at_level(logging.INFO):
            load_pretrained(model, str(hub_folder))
        assert "not used: vit.pooler.dense.weight" in caplog.text
        return
    with pytest.raises(BundleIncompatible) as refused:
        load_pretrained(model, str(hub_folder))
    assert refused.value.exit_code == 32
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())


def test_weights_of_a_cvt_are_refused(tmp_path: Path) -> None:
    save_file({"cvt.layer.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "cvt"}')
    with pytest.raises(BundleIncompatible, match="check that they are of this model"):
        load_pretrained(small(), str(tmp_path))


def test_a_damaged_file_is_damaged(hub_folder: Path) -> None:
    path = hub_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BundleIntegrity, match="damaged"):
        load_pretrained(small(), str(hub_folder))


def test_all_weights_learn() -> None:
    model = small()
    assert isinstance(model, nn.Module)
    model.train()
    model(torch.rand(2, 3, 96, 96)).logits.square().mean().backward()
    assert all(value.grad is not None for value in model.parameters())
