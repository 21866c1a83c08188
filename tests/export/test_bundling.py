import dataclasses
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from edge_infer import Classifier
from edge_infer.bundle import Bundle, load_bundle
from edge_infer.contract import BUNDLE_FILES, LABELS, METADATA_KEY, OUTPUT_NAMES, RESEARCH_USE_ONLY
from edge_infer.errors import QualityGateFailed
from edge_infer.graph_facts import graph_facts
from edge_infer.prediction import softmax
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from export import bundling
from export.bundling import FP16_ATOL, Report, export_bundle
from export.calibration import ExportPictures
from export.quantization import CANDIDATES, Candidate
from export.temperature import fit_temperature
from train.checkpoint import Checkpoint
from train.predictors import predictor

PRECISIONS = ("fp32", "fp16", "int8")
Traced = Callable[[], AbstractContextManager[pytest.MonkeyPatch]]


def exported(checkpoint: Checkpoint, target: Path, pictures: ExportPictures | None) -> Report:
    return export_bundle(
        checkpoint,
        target,
        precision="int8",
        pictures=pictures,
        metrics={},
        command="brain-export --int8",
    )


def losing(label: int) -> Candidate:
    """A quantization after which the model never gives one class."""

    def quantize(
        graph: onnx.ModelProto, _: NDArray[np.uint8], __: PreprocessorConfig
    ) -> onnx.ModelProto:
        spoilt = onnx.load_from_string(graph.SerializeToString())
        bias = next(
            tensor for tensor in spoilt.graph.initializer if tensor.name.endswith("classifier.bias")
        )
        values = numpy_helper.to_array(bias).copy()
        values[label] -= 100
        bias.CopyFrom(numpy_helper.from_array(values, bias.name))
        return spoilt

    return Candidate(name=f"without {LABELS[label]}", description={}, quantize=quantize)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_bundle_is_complete_and_loads(bundles: dict[str, Bundle], precision: str) -> None:
    bundle = bundles[precision]
    assert sorted(contents(bundle.path)) == sorted(BUNDLE_FILES)
    manifest = load_bundle(bundle.path).manifest
    assert (manifest["model"], manifest["precision"]) == ("cvt_test", precision)
    assert manifest["labels"] == list(LABELS)
    assert manifest["research_use_only"] == RESEARCH_USE_ONLY
    assert manifest["provenance"]["recipe"] == "tiny"
    assert manifest["provenance"]["seed"] == 11
    assert manifest["provenance"]["command"] == f"brain-export --model cvt_test --{precision}"
    facts = graph_facts(bundle.model_bytes)
    assert facts.opset >= 18
    assert facts.ir_version <= 10


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_file_alone_states_the_contract(bundles: dict[str, Bundle], precision: str) -> None:
    metadata = graph_facts(bundles[precision].model_bytes).metadata
    contract = json.loads(metadata[METADATA_KEY])
    assert contract["version"] == 1
    assert contract["labels"] == list(LABELS)
    assert (contract["model"], contract["precision"]) == ("cvt_test", precision)
    assert contract["outputs"] == list(OUTPUT_NAMES)
    assert contract["preprocessing"]["height"] == 64
    assert contract["research_use_only"] == RESEARCH_USE_ONLY
    assert json.loads(metadata["names"]) == {str(i): name for i, name in enumerate(LABELS)}
    assert json.loads(metadata["imgsz"]) == [64, 64]
    assert metadata["task"] == "classify"
    assert metadata["Image.NominalPixelRange"] == "Normalized_0_1"


def test_config_and_preprocessing_are_those_of_the_checkpoint(
    bundles: dict[str, Bundle], checkpoint: Checkpoint
) -> None:
    for bundle in bundles.values():
        assert bundle.preprocessor == checkpoint.preprocessor
        assert bundle.config["model_type"] == "cvt"
        assert bundle.id2label == dict(enumerate(LABELS))


def test_smaller_precisions_are_smaller_files(bundles: dict[str, Bundle]) -> None:
    sizes = {precision: len(bundle.model_bytes) for precision, bundle in bundles.items()}
    assert sizes["fp16"] < 0.75 * sizes["fp32"]
    assert sizes["int8"] < 0.75 * sizes["fp32"]


def test_no_path_of_this_machine_is_in_a_bundle(
    bundles: dict[str, Bundle], checkpoint_folder: Path
) -> None:
    here = [str(Path(__file__).parents[2]).encode(), str(checkpoint_folder.parents[1]).encode()]
    for bundle in bundles.values():
        for name, data in contents(bundle.path).items():
            assert [path for path in here if path in data] == [], name


@pytest.fixture(scope="module")
def scan(
    tmp_path_factory: pytest.TempPathFactory,
    textures: Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]],
) -> Path:
    grey, labels = textures(4, 77)
    path = tmp_path_factory.mktemp("scan") / f"{LABELS[labels[1]]}.png"
    Image.fromarray(grey[1]).resize((200, 150), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.parametrize(
    ("precision", "atol"), [("fp32", 1e-4), ("fp16", FP16_ATOL), ("int8", 2.0)]
)
def test_a_picture_file_gets_pytorchs_answer(
    bundles: dict[str, Bundle], checkpoint: Checkpoint, scan: Path, precision: str, atol: float
) -> None:
    prediction = Classifier.load(bundles[precision].path).predict(scan)
    with Image.open(scan) as picture:
        grey = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BILINEAR))
    pixel_values = torch.from_numpy(grey.astype(np.float32) / 255).expand(1, 3, 64, 64)
    with torch.inference_mode():
        output = checkpoint.model(pixel_values)
    given = np.array([prediction.logits[label] for label in LABELS])
    np.testing.assert_allclose(given, output.logits[0].numpy(), rtol=0, atol=atol)
    assert prediction.label == LABELS[int(output.logits[0].argmax())]
    assert prediction.evidence.shape == (4, 4, 4)
    np.testing.assert_allclose(prediction.evidence.mean(axis=(1, 2)), given, rtol=0, atol=0.01)
    temperature = bundles[precision].manifest["calibration"]["temperature"]
    np.testing.assert_allclose(
        [prediction.probabilities[label] for label in LABELS],
        softmax(given, temperature),
        atol=1e-6,
    )
    assert prediction.model.precision == precision


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_picture_alone_gets_the_answer_it_gets_in_a_batch(
    bundles: dict[str, Bundle], pictures: ExportPictures, precision: str
) -> None:
    session = Classifier(bundles[precision]).session
    pixel_values = to_pixel_values(pictures.gate[:8], bundles[precision].preprocessor)
    together = session.run(pixel_values)
    for row in range(8):
        alone = session.run(pixel_values[row : row + 1])
        for one, of_all in zip(alone, together, strict=True):
            atol = 1e-2 if precision == "fp16" else 1e-3
            np.testing.assert_allclose(one[0], of_all[row], rtol=0, atol=atol)


def test_the_int8_bundle_passed_its_gate_and_says_so(
    bundles: dict[str, Bundle], pictures: ExportPictures
) -> None:
    manifest = bundles["int8"].manifest
    gate = manifest["gate"]
    assert gate["source"] == "textures"
    assert gate["synthetic"] is False
    assert gate["agreement"]["n"] == len(pictures.gate)
    assert gate["agreement"]["value"] >= 0.99
    assert {row["n"] for row in gate["per_class"].values()} == {20}
    quantization = manifest["quantization"]
    assert quantization["calibration"] == {"n": 32, "source": "textures", "part": "train"}
    assert quantization["tried"][quantization["method"]]["passed"] is True
    assert bundles["fp32"].manifest["gate"] is None


def test_the_int8_bundle_answers_as_fp32_does(
    bundles: dict[str, Bundle], pictures: ExportPictures
) -> None:
    answers = {
        precision: [
            prediction.label
            for prediction in Classifier(bundles[precision]).predict_many(pictures.gate)
        ]
        for precision in ("fp32", "int8")
    }
    same = np.mean([one == other for one, other in zip(*answers.values(), strict=True)])
    assert same >= 0.99
    right = np.mean([LABELS.index(name) for name in answers["int8"]] == pictures.gate_labels)
    assert right >= 0.97


def test_the_temperature_is_fitted_on_the_logits_of_the_very_graph(
    bundles: dict[str, Bundle], pictures: ExportPictures
) -> None:
    for bundle in bundles.values():
        calibration = bundle.manifest["calibration"]
        logits = np.array(
            [
                list(prediction.logits.values())
                for prediction in Classifier(bundle).predict_many(pictures.gate)
            ]
        )
        assert bundle.temperature == fit_temperature(logits, pictures.gate_labels) != 1
        assert calibration["fitted_on"] == "validation part of textures, n 80"
        assert 0 <= calibration["ece_after"] < 0.2


def test_phantoms_fit_no_temperature(
    checkpoint: Checkpoint, pictures: ExportPictures, traced_once: Traced, tmp_path: Path
) -> None:
    synthetic = dataclasses.replace(pictures, synthetic=True, source="synthetic phantoms, seed 0")
    with traced_once():
        bundle = exported(checkpoint, tmp_path / "bundle", synthetic).bundle
    assert bundle.temperature == 1
    assert bundle.manifest["gate"]["synthetic"] is True
    assert (
        "no evidence" in (bundle.path / "README.md").read_text()
        or "Synthetic" in (bundle.path / "README.md").read_text()
    )


def test_a_blank_calibration_makes_static_fail_and_dynamic_is_taken(
    checkpoint: Checkpoint, pictures: ExportPictures, traced_once: Traced, tmp_path: Path
) -> None:
    blank = dataclasses.replace(pictures, calibration=np.zeros_like(pictures.calibration))
    with traced_once():
        report = exported(checkpoint, tmp_path / "bundle", blank)
    assert {name: verdict.passed for name, verdict in report.tried.items()} == {
        "static": False,
        "dynamic": True,
    }
    quantization = report.bundle.manifest["quantization"]
    assert quantization["method"] == "dynamic"
    assert quantization["tried"]["static"]["passed"] is False
    assert report.bundle.manifest["gate"]["agreement"]["value"] >= 0.99


def test_the_gate_sees_what_brain_infer_will_see(
    checkpoint: Checkpoint, pictures: ExportPictures, traced_once: Traced, tmp_path: Path
) -> None:
    # Dynamic quantization takes its ranges over a whole batch, and brain-infer runs one by one.
    seen: list[NDArray[np.float32]] = []

    def judged(labels: Any, fp32: Any, int8: Any) -> Any:
        seen.append(int8)
        return verdict(labels, fp32, int8)

    verdict = bundling.judge
    with traced_once() as patch:
        patch.setattr(bundling, "judge", judged)
        patch.setattr(bundling, "CANDIDATES", CANDIDATES[1:])
        bundle = exported(checkpoint, tmp_path / "bundle", pictures).bundle
    given = [
        list(prediction.logits.values())
        for prediction in Classifier(bundle).predict_many(pictures.gate)
    ]
    np.testing.assert_allclose(seen[0], given, rtol=0, atol=1e-5)


def test_a_quantization_that_gives_nan_fails_and_the_next_is_taken(
    checkpoint: Checkpoint, pictures: ExportPictures, traced_once: Traced, tmp_path: Path
) -> None:
    broken = losing(0)

    def nan(graph: onnx.ModelProto, *rest: Any) -> onnx.ModelProto:
        spoilt = broken.quantize(graph, *rest)
        for tensor in spoilt.graph.initializer:
            if tensor.name.endswith("classifier.bias"):
                values = np.full((len(LABELS),), np.nan, dtype=np.float32)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return spoilt

    with traced_once() as patch:
        candidates = (dataclasses.replace(broken, name="broken", quantize=nan), CANDIDATES[1])
        patch.setattr(bundling, "CANDIDATES", candidates)
        report = exported(checkpoint, tmp_path / "bundle", pictures)
    assert [verdict.passed for verdict in report.tried.values()] == [False, True]
    assert report.bundle.manifest["quantization"]["method"] == "dynamic"


def test_when_all_fail_nothing_is_written_and_the_lost_class_is_named(
    checkpoint: Checkpoint, pictures: ExportPictures, traced_once: Traced, tmp_path: Path
) -> None:
    with traced_once() as patch:
        patch.setattr(bundling, "CANDIDATES", (losing(0), losing(3)))
        with pytest.raises(QualityGateFailed) as failed:
            exported(checkpoint, tmp_path / "bundle", pictures)
    assert failed.value.exit_code == 86
    assert "without glioma: " in failed.value.message
    assert re.search(r"glioma loses (9\d|100)\.00 points of recall", failed.value.message)
    assert re.search(r"pituitary loses (9\d|100)\.00 points of recall", failed.value.message)
    assert "nothing was written" in failed.value.message
    assert list(tmp_path.iterdir()) == []


def test_an_older_bundle_is_unharmed_when_the_gate_fails(
    checkpoint: Checkpoint,
    pictures: ExportPictures,
    traced_once: Traced,
    bundles: dict[str, Bundle],
) -> None:
    target = bundles["int8"].path
    before = contents(target)
    with traced_once() as patch:
        patch.setattr(bundling, "CANDIDATES", (losing(1),))
        with pytest.raises(QualityGateFailed):
            exported(checkpoint, target, pictures)
    assert contents(target) == before
    assert load_bundle(target).manifest == bundles["int8"].manifest


def test_int8_needs_pictures(checkpoint: Checkpoint, traced_once: Traced, tmp_path: Path) -> None:
    with traced_once(), pytest.raises(ValueError, match="int8 needs pictures"):
        exported(checkpoint, tmp_path / "bundle", None)
    assert list(tmp_path.iterdir()) == []


def test_the_same_export_gives_the_same_graph(
    checkpoint: Checkpoint,
    pictures: ExportPictures,
    traced_once: Traced,
    bundles: dict[str, Bundle],
    tmp_path: Path,
) -> None:
    with traced_once():
        again = exported(checkpoint, tmp_path / "again", pictures).bundle
    assert again.model_bytes == bundles["int8"].model_bytes


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_evaluation_of_a_bundle_measures_what_brain_infer_answers(
    bundles: dict[str, Bundle], pictures: ExportPictures, precision: str
) -> None:
    bundle = bundles[precision]
    predict = predictor(bundle.path)
    assert (predict.name, predict.temperature) == (f"cvt_test {precision}", bundle.temperature)
    assert predict.identity == f"bundle {bundle.manifest['manifest_sha256']}"
    answers = [
        list(prediction.logits.values())
        for prediction in Classifier(bundle).predict_many(pictures.gate[:8])
    ]
    np.testing.assert_array_equal(predict(pictures.gate[:8]), answers)
