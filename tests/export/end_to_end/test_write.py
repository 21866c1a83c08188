"""The one-file model: the bits of the Python path on images of any size, in operators that any runtime has."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, METADATA_KEY, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, CannotWrite, ParityFailed
from edge_infer.graph_facts import graph_facts
from edge_infer.preprocessing import PreprocessorConfig, preprocess
from export.end_to_end import check as end_to_end_check
from export.end_to_end import write as end_to_end
from export.end_to_end.check import check_end_to_end, open_file
from export.end_to_end.preprocessing import preprocessing_graph
from export.end_to_end.write import end_to_end_graph, write_end_to_end

# (height, width): shrunk, enlarged, one of each, sides that stay.
SIZES = [
    (200, 200),
    (40, 40),
    (150, 40),
    (40, 150),
    (64, 48),
    (64, 99),
    (99, 48),
    (300, 17),
    (17, 300),
]
# Pillow 13 goes down first where the height shrinks by more than twice what the width does: just not, and just.
SIZES += [(128, 80), (129, 80), (65, 48), (66, 49)]
CONFIG = PreprocessorConfig(
    height=64, width=48, image_mean=(0.1, 0.2, 0.3), image_std=(0.5, 0.25, 0.3)
)


@pytest.fixture(scope="session")
def written(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one-file")
    for precision, bundle in bundles.items():
        write_end_to_end(bundle, folder / f"{precision}.onnx")
    return folder


@pytest.fixture(scope="module")
def preprocessing_only() -> onnxruntime.InferenceSession:
    graph = preprocessing_graph(CONFIG, opset=18)
    onnx.checker.check_model(graph, full_check=True)
    graph.graph.input[0].type.tensor_type.ClearField("shape")
    return open_file(graph.SerializeToString())


def noise(*shape: int) -> NDArray[np.uint8]:
    """White noise: every grey level and every rounding occurs."""
    return np.random.default_rng(shape).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [(), (1,), (3,)], ids=["grey", "one channel", "RGB"])
def test_the_graph_gives_the_very_bits_of_the_python_preprocessing(
    preprocessing_only: onnxruntime.InferenceSession,
    size: tuple[int, int],
    channels: tuple[int, ...],
) -> None:
    image = noise(*size, *channels)
    drawn = Image.fromarray(image[:, :, 0] if channels == (1,) else image).convert("L")
    given = preprocessing_only.run(None, {"image": image})[0]
    np.testing.assert_array_equal(given, preprocess(drawn, CONFIG))


@pytest.mark.parametrize("shape", [(40, 40, 2), (40, 40, 4), (40, 40, 5), (1, 40, 40, 3), (40,)])
def test_other_numbers_of_channels_get_no_answer(
    preprocessing_only: onnxruntime.InferenceSession, shape: tuple[int, ...]
) -> None:
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
        preprocessing_only.run(None, {"image": noise(*shape)})


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_file_answers_as_the_bundle_does(
    bundles: dict[str, Bundle],
    written: Path,
    textures: Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]],
    precision: str,
) -> None:
    classifier = Classifier(bundles[precision])
    session = open_file((written / f"{precision}.onnx").read_bytes())
    for grey in textures(8, 5)[0]:
        image = np.asarray(Image.fromarray(grey).resize((100, 170)))
        expected = classifier.predict(image)
        probabilities, evidence = session.run(None, {"image": image})
        wanted = np.array(list(expected.probabilities.values()))
        # The same bits go in; float32 softmax against float64, and sums in another order, are left.
        np.testing.assert_allclose(probabilities, wanted, atol=1e-4)
        np.testing.assert_allclose(evidence, expected.evidence, atol=1e-3)
        assert LABELS[probabilities.argmax()] == expected.label


def test_temperature_softens_the_probabilities(graph_bytes: bytes) -> None:
    config = PreprocessorConfig(height=64, width=64)
    image = noise(80, 90)
    answers = []
    for temperature in (1.0, 3.0):
        graph = end_to_end_graph(
            onnx.load_from_string(graph_bytes), config, temperature=temperature
        )
        answers.append(open_file(graph.SerializeToString()).run(None, {"image": image})[0])
    logs = [np.log(answer) - np.log(answer).mean() for answer in answers]
    np.testing.assert_allclose(logs[0], 3 * logs[1], atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_file_holds_standard_operators_and_its_contract(written: Path, precision: str) -> None:
    data = (written / f"{precision}.onnx").read_bytes()
    facts = graph_facts(data, also={"Range"})  # refuses control flow, functions, external data
    assert (facts.inputs, facts.outputs) == (("image",), ("probabilities", "evidence"))
    assert facts.ir_version <= 10
    graph = onnx.load_from_string(data)
    assert {node.domain for node in graph.graph.node} == {""}
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 18)]
    contract = json.loads(facts.metadata[METADATA_KEY])
    assert contract["labels"] == list(LABELS)
    assert (contract["form"], contract["input"]["type"]) == ("end-to-end", "uint8")
    assert contract["research_use_only"] == facts.metadata["description"] == RESEARCH_USE_ONLY
    assert "imgsz" not in facts.metadata


def test_all_that_the_checker_misses_is_the_rank_of_the_input(written: Path) -> None:
    graph = onnx.load(written / "fp32.onnx")
    with pytest.raises(onnx.checker.ValidationError, match="Field 'shape' of 'type' is required"):
        onnx.checker.check_model(graph)
    graph.graph.input[0].CopyFrom(
        onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["h", "w", "c"])
    )
    onnx.checker.check_model(graph)


def test_fused_operators_are_refused_and_the_portable_form_is_named(graph_bytes: bytes) -> None:
    graph = onnx.load_from_string(graph_bytes)
    graph.graph.node[-1].domain = "com.microsoft"
    with pytest.raises(BundleIncompatible, match=r"com\.microsoft\..*--portable"):
        end_to_end_graph(graph, PreprocessorConfig(height=64, width=64), temperature=1.0)


def test_another_filter_is_refused() -> None:
    with pytest.raises(BundleIncompatible, match="resample is 3"):
        preprocessing_graph(PreprocessorConfig(height=64, width=64, resample=3), opset=18)


def test_the_check_states_what_it_found(bundles: dict[str, Bundle], written: Path) -> None:
    figures = check_end_to_end((written / "fp32.onnx").read_bytes(), bundles["fp32"])
    assert figures["pictures"] == 24
    assert figures["pixel_values_differing"] == 0
    assert figures["max_probability_difference"] < 1e-4


def test_a_file_with_another_temperature_is_not_written(
    bundles: dict[str, Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def warmer(model: onnx.ModelProto, *_: object, **__: object) -> onnx.ModelProto:
        return end_to_end_graph(
            model, bundles["fp32"].preprocessor, temperature=1.2 * bundles["fp32"].temperature
        )

    target = tmp_path / "model.onnx"
    target.write_bytes(b"older")
    monkeypatch.setattr(end_to_end, "end_to_end_graph", warmer)
    with pytest.raises(ParityFailed, match="probabilities off by") as failed:
        write_end_to_end(bundles["fp32"], target)
    assert failed.value.exit_code == 85
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


def test_evidence_that_differs_is_noticed(
    bundles: dict[str, Bundle], written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_to_end_check, "EVIDENCE_ATOL", -1.0)
    with pytest.raises(ParityFailed, match="evidence of a 512 x 512 image is off by"):
        check_end_to_end((written / "fp32.onnx").read_bytes(), bundles["fp32"])


def test_a_folder_that_is_not_there_is_said(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    with pytest.raises(CannotWrite):
        write_end_to_end(bundles["fp32"], tmp_path / "absent" / "model.onnx")
