import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CvtConfig, CvtForImageClassification

import train.pretrained
from edge_infer.errors import (
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    UnreadableInput,
)
from train.models import create_model
from train.pretrained import load_pretrained


def saved(folder: Path, classes: int) -> Path:
    """A checkpoint as the Hub has it: transformers' own class, a class token in the last stage."""
    torch.manual_seed(9)
    config = CvtConfig(
        embed_dim=[16, 32, 64],
        depth=[1, 2, 3],
        num_heads=[1, 2, 4],
        drop_path_rate=[0.0, 0.0, 0.1],
        cls_token=[False, False, True],
        num_labels=classes,
    )
    CvtForImageClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("hub") / "cvt", 1000)


@pytest.fixture
def own_folder(hub_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(hub_folder, tmp_path / "cvt")


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return create_model("cvt_test", 4)


def test_a_checkpoint_of_transformers_loads_and_the_head_starts_at_random(
    hub_folder: Path, model: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    head = {name: value.clone() for name, value in model.classifier.state_dict().items()}  # type: ignore[union-attr, operator]
    with caplog.at_level(logging.INFO):
        load_pretrained(model, str(hub_folder))
    given = load_file(hub_folder / "model.safetensors")
    own = model.state_dict()
    backbone = {name for name in own if not name.startswith("classifier.")}
    assert len(backbone) > 100
    assert all(torch.equal(own[name], given[name]) for name in backbone)
    assert torch.equal(own["classifier.weight"], head["weight"])
    assert "not used: cvt.encoder.stages.2.cls_token; initialised at random" in caplog.text
    assert "classifier.bias, classifier.weight" in caplog.text


def test_a_head_of_four_classes_is_kept(tmp_path: Path, model: nn.Module) -> None:
    folder = saved(tmp_path / "four", 4)
    load_pretrained(model, str(folder))
    given = load_file(folder / "model.safetensors")
    assert torch.equal(model.state_dict()["classifier.weight"], given["classifier.weight"])


def test_weights_of_another_model_are_refused_and_the_model_is_unharmed(
    hub_folder: Path,
) -> None:
    other = create_model("resnet18", 4)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(BundleIncompatible, match=r"\d+ missing \(backbone") as refused:
        load_pretrained(other, str(hub_folder))
    assert refused.value.exit_code == 32
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


@pytest.mark.parametrize("change", ["drop", "reshape"])
def test_a_backbone_tensor_that_is_missing_or_misshapen_is_named(
    own_folder: Path, model: nn.Module, change: str
) -> None:
    tensors = load_file(own_folder / "model.safetensors")
    name = "cvt.encoder.stages.1.embedding.convolution_embeddings.projection.weight"
    taken = tensors.pop(name)
    if change == "reshape":
        tensors[name] = taken[:1].clone()
    save_file(tensors, own_folder / "model.safetensors")
    with pytest.raises(BundleIncompatible, match=r"stages\.1\.embedding"):
        load_pretrained(model, str(own_folder))


def test_a_folder_with_pickle_only_is_refused(tmp_path: Path, model: nn.Module) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BundleIncomplete, match=r"model\.safetensors is missing.*pickle") as refused:
        load_pretrained(model, str(tmp_path))
    assert refused.value.exit_code == 30


def test_a_truncated_file_is_damaged(own_folder: Path, model: nn.Module) -> None:
    weights = own_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BundleIntegrity, match="damaged") as refused:
        load_pretrained(model, str(own_folder))
    assert refused.value.exit_code == 31


@pytest.mark.parametrize(
    "failure", [LocalEntryNotFoundError("not cached"), OSError("no network"), ConnectionError()]
)
def test_without_a_network_a_hub_id_is_unreadable(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, failure: Exception
) -> None:
    def offline(*_: Any, **__: Any) -> str:
        raise failure

    monkeypatch.setattr(train.pretrained, "snapshot_download", offline)
    with pytest.raises(UnreadableInput, match="microsoft/cvt-13") as refused:
        load_pretrained(model, "microsoft/cvt-13")
    assert refused.value.exit_code == 20
    assert "--weights" in refused.value.hint


def test_a_path_that_is_no_folder_and_no_hub_id_is_unreadable(model: nn.Module) -> None:
    with pytest.raises(UnreadableInput):  # the Hub's client refuses the name before any network
        load_pretrained(model, "/no/such/folder")


def test_a_hub_id_asks_for_safetensors_and_json_only(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, hub_folder: Path
) -> None:
    asked: dict[str, Any] = {}

    def download(source: str, **options: Any) -> str:
        asked.update(source=source, **options)
        return str(hub_folder)

    monkeypatch.setattr(train.pretrained, "snapshot_download", download)
    load_pretrained(model, "someone/cvt")
    assert asked == {"source": "someone/cvt", "allow_patterns": ["*.safetensors", "*.json"]}
