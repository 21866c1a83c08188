"""A Triton model repository: its documented layout, tensors that fit the graphs, and no batch that changes answers."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf.text_format import ParseError
from onnxruntime.quantization import quantize_dynamic
from PIL import Image
from triton_schema import read_config

from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, CannotWrite, ParityFailed
from export.end_to_end.check import open_file
from export.triton import repository as repository_module
from export.triton.check import check_batch
from export.triton.config import model_config
from export.triton.graphs import depends_on_batch
from export.triton.repository import MAX_BATCH_SIZE, write_triton_repository
from train.phantoms import phantom

#: onnxruntime's names of types, as Triton's documentation maps them.
TYPES = {"tensor(float)": "TYPE_FP32", "tensor(uint8)": "TYPE_UINT8"}


def type_name(number: int) -> str:
    return {2: "TYPE_UINT8", 10: "TYPE_FP16", 11: "TYPE_FP32"}[number]


@pytest.fixture(scope="module")
def written(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton") / "repository"
    for bundle in bundles.values():
        write_triton_repository(bundle, folder)
    return folder


def config_of(folder: Path) -> dict[str, Any]:
    return read_config((folder / "config.pbtxt").read_text(encoding="ascii"))


def test_the_repository_has_the_documented_layout(written: Path) -> None:
    names = sorted(path.name for path in written.iterdir())
    assert names == sorted(
        f"cvt_test-{precision}{form}"
        for precision in ("fp32", "fp16", "int8")
        for form in ("", "-image")
    )
    for model in written.iterdir():
        files = {str(path.relative_to(model)) for path in model.rglob("*")}
        assert files == {"config.pbtxt", "labels.txt", "1", "1/model.onnx"}
        config = config_of(model)
        assert config["name"] == model.name
        assert config["backend"] == "onnxruntime"
        assert RESEARCH_USE_ONLY in (model / "config.pbtxt").read_text()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("form", ["", "-image"])
def test_every_tensor_is_as_the_backend_asks(written: Path, precision: str, form: str) -> None:
    """By the rules of CompareDimsSupported in the onnxruntime backend, which fails to load the model otherwise."""
    folder = written / f"cvt_test-{precision}{form}"
    config = config_of(folder)
    session = onnxruntime.InferenceSession(folder / "1" / "model.onnx")
    for kind, tensors in (("input", session.get_inputs()), ("output", session.get_outputs())):
        assert [tensor["name"] for tensor in config[kind]] == [tensor.name for tensor in tensors]
        for stated, tensor in zip(config[kind], tensors, strict=True):
            shape = [side if isinstance(side, int) else -1 for side in tensor.shape]
            batch = [-1] if config["max_batch_size"] > 0 else []
            assert [*batch, *stated["dims"]] == shape
            assert shape, "Triton knows no tensor without a rank"
            assert type_name(stated["data_type"]) == TYPES[tensor.type]


def test_a_class_has_its_name_at_its_place(written: Path, bundles: dict[str, Bundle]) -> None:
    for form, labelled in (("", "logits"), ("-image", "probabilities")):
        folder = written / f"cvt_test-int8{form}"
        outputs = {output["name"]: output for output in config_of(folder)["output"]}
        named = [name for name, output in outputs.items() if "label_filename" in output]
        assert named == [labelled]
        labels = (folder / outputs[labelled]["label_filename"]).read_text(encoding="utf-8")
        assert tuple(labels.splitlines()) == bundles["int8"].labels
        assert outputs[labelled]["dims"] == [len(bundles["int8"].labels)]


def test_the_graph_for_images_answers_as_the_bundle(
    written: Path, bundles: dict[str, Bundle]
) -> None:
    session = open_file((written / "cvt_test-fp32-image" / "1" / "model.onnx").read_bytes())
    classifier = Classifier(bundles["fp32"], num_threads=1)
    for size in ((90, 40), (300, 200), (64, 64)):
        drawn = Image.fromarray(phantom("glioma", np.random.default_rng(2))).resize(size)
        tinted = (np.asarray(drawn)[:, :, None] * np.array([1, 0.9, 0.8])).astype(np.uint8)
        probabilities = session.run(["probabilities"], {"image": tinted})[0]
        expected = list(classifier.predict(tinted).probabilities.values())
        assert probabilities == pytest.approx(np.array(expected), abs=1e-5)


def test_requests_of_static_graphs_may_share_a_run(written: Path) -> None:
    config = config_of(written / "cvt_test-int8")
    assert config["max_batch_size"] == MAX_BATCH_SIZE
    assert "dynamic_batching" in config
    assert "dynamic_batching" not in config_of(written / "cvt_test-int8-image")


@pytest.fixture(scope="module")
def dynamic(
    bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, onnx.ModelProto]:
    """The FP32 bundle, and its graph with scales that are chosen while it runs."""
    folder = tmp_path_factory.mktemp("dynamic")
    (folder / "float.onnx").write_bytes(bundles["fp32"].model_bytes)
    quantize_dynamic(
        folder / "float.onnx", folder / "dynamic.onnx", op_types_to_quantize=["MatMul"]
    )
    return bundles["fp32"], onnx.load(folder / "dynamic.onnx")


def test_a_dynamic_graph_really_changes_answers_in_a_batch(
    dynamic: tuple[Bundle, onnx.ModelProto],
) -> None:
    bundle, graph = dynamic
    assert depends_on_batch(graph)
    assert not depends_on_batch(onnx.load_from_string(bundle.model_bytes))
    assert check_batch(graph, bundle, 1) == 0
    with pytest.raises(ParityFailed, match="a batch of 8 changes probabilities"):
        check_batch(graph, bundle, 8)


def test_a_dynamic_graph_is_never_batched(
    dynamic: tuple[Bundle, onnx.ModelProto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1, not 0: for 0 the backend would choose its default, 4, if it completed the configuration."""
    bundle, graph = dynamic
    monkeypatch.setattr(repository_module.onnx, "load_from_string", lambda _: graph)
    monkeypatch.setattr(repository_module, "image_graph", lambda *_: graph)
    own, _ = write_triton_repository(bundle, tmp_path)
    config = config_of(own.folder)
    assert (own.max_batch_size, config["max_batch_size"]) == (1, 1)
    assert "dynamic_batching" not in config
    assert "Leave max_batch_size at 1" in (own.folder / "config.pbtxt").read_text()


def test_weights_that_may_overflow_are_told_of(written: Path, bundles: dict[str, Bundle]) -> None:
    assert bundles["int8"].largest_weight > 63
    assert "without VNNI" in (written / "cvt_test-int8" / "config.pbtxt").read_text()
    assert "without VNNI" not in (written / "cvt_test-fp32" / "config.pbtxt").read_text()


def test_other_models_of_the_repository_stay(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write_triton_repository(bundles["fp32"], tmp_path)
    write_triton_repository(bundles["fp32"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("other", "cvt_test-fp32", "cvt_test-fp32-image"),
    }


def test_a_folder_with_something_else_is_not_replaced(
    bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    (tmp_path / "cvt_test-fp32" / "2").mkdir(parents=True)
    with pytest.raises(CannotWrite, match="do not belong"):
        write_triton_repository(bundles["fp32"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cvt_test-fp32"]


def test_a_name_that_triton_cannot_take_is_changed(
    bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    odd = dataclasses.replace(bundles["fp32"], path=tmp_path / 'a "b" größe')
    own, image = write_triton_repository(odd, tmp_path / "repository")
    assert (own.name, image.name) == ("a__b__gr__e", "a__b__gr__e-image")
    assert config_of(own.folder)["name"] == own.name


def test_a_graph_without_a_rank_is_refused() -> None:
    value = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, None)
    graph = onnx.helper.make_graph([], "g", [value], [])
    with pytest.raises(BundleIncompatible, match="cannot describe"):
        model_config(graph, name="g", max_batch_size=0, labelled="", notes=[])


def test_the_schema_refuses_what_it_does_not_know(written: Path) -> None:
    text = (written / "cvt_test-fp32" / "config.pbtxt").read_text()
    for wrong in (text.replace("backend", "bakend"), text.replace("TYPE_FP32", "FP32")):
        with pytest.raises(ParseError):
            read_config(wrong)
