import json
from pathlib import Path

import pytest
import torch
from torch import nn

from edge_infer.classes import Classes
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import (
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    UnknownModel,
    UnreadableInput,
)
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.models import create_model

PREPROCESSOR = PreprocessorConfig(height=32, width=32)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return create_model("cvt_test", len(LABELS))


@pytest.fixture
def folder(tmp_path: Path, model: nn.Module) -> Path:
    target = tmp_path / "run" / "checkpoint"
    save_checkpoint(
        target, name="cvt_test", model=model, preprocessor=PREPROCESSOR, training={"seed": 1}
    )
    return target


def test_a_checkpoint_comes_back_bit_for_bit(folder: Path, model: nn.Module) -> None:
    loaded = load_checkpoint(folder)
    assert (loaded.name, loaded.preprocessor, loaded.training) == (
        "cvt_test",
        PREPROCESSOR,
        {"seed": 1},
    )
    assert not loaded.model.training
    expected = model.state_dict()
    given = loaded.model.state_dict()
    assert set(given) == set(expected)
    assert all(torch.equal(given[name], expected[name]) for name in expected)


def test_a_half_precision_checkpoint_is_half_as_large_and_loads_as_float32(
    folder: Path, tmp_path: Path, model: nn.Module
) -> None:
    half = tmp_path / "half"
    save_checkpoint(
        half,
        name="cvt_test",
        model=model,
        preprocessor=PREPROCESSOR,
        training={},
        dtype=torch.float16,
    )
    sizes = [(path / "model.safetensors").stat().st_size for path in (half, folder)]
    assert sizes[0] < 0.6 * sizes[1]
    loaded = load_checkpoint(half)
    for name, value in model.state_dict().items():
        assert loaded.model.state_dict()[name].dtype == value.dtype
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.model.state_dict()[name], expected)
    assert json.loads((half / "config.json").read_text())["torch_dtype"] == "float16"


def test_config_is_in_hugging_faces_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "cvt"
    assert config["id2label"] == {str(index): label for index, label in enumerate(LABELS)}
    assert config["label2id"] == {label: index for index, label in enumerate(LABELS)}


def test_an_older_checkpoint_is_replaced_as_a_whole(folder: Path, model: nn.Module) -> None:
    (folder / "stray.txt").write_text("old")
    save_checkpoint(
        folder, name="cvt_test", model=model, preprocessor=PREPROCESSOR, training={"seed": 2}
    )
    assert load_checkpoint(folder).training == {"seed": 2}
    assert not (folder / "stray.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleIncomplete, match=name) as refused:
        load_checkpoint(folder)
    assert refused.value.exit_code == 30


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_truncated_weights_are_damaged(folder: Path, kept: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(BundleIntegrity, match="damaged") as refused:
        load_checkpoint(folder)
    assert refused.value.exit_code == 31


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_config_that_is_no_object_is_damaged(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(BundleIntegrity, match=r"config\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"brain_edge_model": "vgg"},
        {"brain_edge_model": "resnet18"},  # the weights have other names
        {"id2label": {"0": "glioma", "1": "no_tumor", "2": "meningioma", "3": "pituitary"}},
        {"id2label": {}},
    ],
)
def test_a_checkpoint_of_something_else_is_incompatible(
    folder: Path, change: dict[str, object]
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BundleIncompatible) as refused:
        load_checkpoint(folder)
    assert refused.value.exit_code == 32


def test_a_checkpoint_of_an_unknown_model_says_which_file_names_it(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "brain_edge_model": "vgg"}))
    with pytest.raises(BundleIncompatible, match=r"config\.json: model is 'vgg'") as refused:
        load_checkpoint(folder)
    assert "--model" not in refused.value.hint, "nobody typed that name"


def test_a_folder_whose_name_is_too_long_is_unreadable_for_that_reason() -> None:
    with pytest.raises(UnreadableInput, match=r"cannot be read \(File name too long\)"):
        load_checkpoint(Path("x" * 300))


def test_config_of_the_brain_classes_is_what_it_always_was(
    model: nn.Module, tmp_path: Path
) -> None:
    config = PreprocessorConfig(height=32, width=32)
    save_checkpoint(tmp_path / "c", name="cvt_test", model=model, preprocessor=config, training={})
    # As version 0.2.0 wrote it: digests of bundles and of the report depend on it.
    assert (tmp_path / "c" / "config.json").read_text() == (
        '{\n  "architectures": [\n    "brain-edge/cvt_test"\n  ],\n  "brain_edge_model": "cvt_test",\n'
        '  "id2label": {\n    "0": "glioma",\n    "1": "meningioma",\n    "2": "no_tumor",\n'
        '    "3": "pituitary"\n  },\n  "image_size": 32,\n  "label2id": {\n    "glioma": 0,\n'
        '    "meningioma": 1,\n    "no_tumor": 2,\n    "pituitary": 3\n  },\n  "model_type": "cvt",\n'
        '  "num_channels": 3,\n  "problem_type": "single_label_classification",\n'
        f'  "research_use_only": "{RESEARCH_USE_ONLY}",\n  "torch_dtype": "float32"\n}}\n'
    )


@pytest.mark.parametrize(
    "classes",
    [
        Classes(("yes", "no")),
        Classes(("größer", "a, b", "no_tumor")),
        Classes(tuple(f"k{number}" for number in range(100)), "k42"),
    ],
)
def test_own_classes_travel_in_a_checkpoint(classes: Classes, tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "c",
        name="cvt_test",
        model=create_model("cvt_test", len(classes)),
        classes=classes,
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    assert load_checkpoint(tmp_path / "c").classes == classes


@pytest.mark.parametrize(
    "changed",
    [
        {"id2label": {"0": "a"}, "label2id": {"a": 0}},
        {"id2label": {"0": "a", "2": "b"}, "label2id": {"a": 0, "b": 2}},
        {"id2label": {"0": "a", "1": "a"}},
        {"id2label": {"0": "a", "1": 7}},
        {"id2label": ["a", "b"]},
        {"id2label": None},
        {"label2id": {"a": 1, "b": 0}},
        {"negative_label": "c"},
        {"negative_label": ["a"]},
    ],
)
def test_a_config_without_usable_classes_is_refused(
    changed: dict[str, object], tmp_path: Path
) -> None:
    save_checkpoint(
        tmp_path / "c",
        name="cvt_test",
        model=create_model("cvt_test", 2),
        classes=Classes(("a", "b")),
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    path = tmp_path / "c" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(BundleIncompatible, match="id2label"):
        load_checkpoint(tmp_path / "c")


def test_a_head_of_two_questions_knows_the_negative_class(tmp_path: Path) -> None:
    classes = Classes(("none", "some", "more"), "none")
    sizes = {"head": "two-questions"}
    model = create_model("cvt_test", 3, sizes=sizes, negative_id=classes.negative_id)
    save_checkpoint(
        tmp_path / "c",
        name="cvt_test",
        model=model,
        classes=classes,
        sizes=sizes,
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    loaded = load_checkpoint(tmp_path / "c")
    with torch.inference_mode():
        output = loaded.model(torch.rand(2, 3, 32, 32))
    assert (output.logits[:, 0] == 0).all()
    assert (output.logits[:, 1:] != 0).all()
    with pytest.raises(UnknownModel, match="asks two questions") as caught:
        create_model("cvt_test", 3, sizes=sizes, negative_id=None)
    assert "--negative" in str(caught.value.hint)
