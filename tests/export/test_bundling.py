import dataclasses
import json
import re
from collections.abc import Callable, Iterator
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
from edge_infer.contract import (
    LABELS,
    METADATA_KEY,
    OUTPUT_NAMES,
    POSSIBLE_BUNDLE_FILES,
    RESEARCH_USE_ONLY,
)
from edge_infer.errors import QualityGateFailed
from edge_infer.graph_facts import graph_facts
from edge_infer.prediction import softmax
from export import bundling
from export.bundling import FP16_ATOL, Report, export_bundle
from export.int8 import choice
from export.int8.calibration import ExportImages
from export.int8.variants import Variant
from export.model_inputs import ModelInputs
from export.temperature import fit_temperature
from train.checkpoint import Checkpoint
from train.evaluation.predictors import predictor

#: Each image is its own patient.
ALONE = [str(number) for number in range(80)]
PRECISIONS = ("fp32", "fp16", "int8")


def exported(
    checkpoint: Checkpoint, folder: Path, images: ExportImages | None, **more: Any
) -> Report:
    return export_bundle(
        checkpoint,
        folder,
        precision="int8",
        images=images,
        metrics={},
        command="brain-export --int8",
        **more,
    )


def losing(label: int, graph: onnx.ModelProto, value: float = -100) -> Variant:
    """A quantization after which the model never gives one class."""
    spoilt = onnx.load_from_string(graph.SerializeToString())
    bias = next(
        tensor for tensor in spoilt.graph.initializer if tensor.name.endswith("classifier.bias")
    )
    values = numpy_helper.to_array(bias).copy()
    values[label] += value
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    return Variant(name=f"without {LABELS[label]}", description={"method": "static"}, graph=spoilt)


def trying(*make: Callable[[onnx.ModelProto], Variant]) -> Callable[..., Iterator[Variant]]:
    """Replace the variants an export tries."""

    def variants(_: Any, graph: onnx.ModelProto, *__: Any, **___: Any) -> Iterator[Variant]:
        return (each(graph) for each in make)

    return variants


def the_graph_itself(graph: onnx.ModelProto) -> Variant:
    return Variant(name="itself", description={"method": "static"}, graph=graph)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_bundle_is_complete_and_loads(bundles: dict[str, Bundle], precision: str) -> None:
    bundle = bundles[precision]
    assert sorted(contents(bundle.path)) == sorted(POSSIBLE_BUNDLE_FILES)
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
def test_an_image_file_gets_pytorchs_answer(
    bundles: dict[str, Bundle], checkpoint: Checkpoint, scan: Path, precision: str, atol: float
) -> None:
    prediction = Classifier.load(bundles[precision].path).predict(scan)
    with Image.open(scan) as image:
        grey = np.asarray(image.convert("L").resize((64, 64), Image.Resampling.BILINEAR))
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
def test_an_image_alone_gets_the_answer_it_gets_in_a_batch(
    bundles: dict[str, Bundle], images: ExportImages, precision: str
) -> None:
    session = Classifier(bundles[precision]).session
    pixel_values = images.gate[:8].pixel_values()
    together = session.run(pixel_values)
    for row in range(8):
        alone = session.run(pixel_values[row : row + 1])
        for one, of_all in zip(alone, together, strict=True):
            atol = 1e-2 if precision == "fp16" else 1e-3
            np.testing.assert_allclose(one[0], of_all[row], rtol=0, atol=atol)


def test_the_int8_bundle_passed_its_gate_and_says_so(
    bundles: dict[str, Bundle], images: ExportImages
) -> None:
    manifest = bundles["int8"].manifest
    gate = manifest["gate"]
    assert gate["source"] == "textures"
    assert gate["synthetic"] is False
    assert gate["agreement"]["n"] == len(images.gate)
    assert gate["agreement"]["value"] >= 0.99
    assert {row["n"] for row in gate["per_class"].values()} == {20}
    quantization = manifest["quantization"]
    assert bundles["int8"].largest_weight == quantization["largest_weight"] == 127
    assert quantization["calibration"] == {"n": 32, "source": "textures", "part": "train"}
    assert quantization["tried"][quantization["name"]]["passed"] is True
    assert bundles["fp32"].manifest["gate"] is None


def test_the_int8_bundle_answers_as_fp32_does(
    bundles: dict[str, Bundle], images: ExportImages
) -> None:
    answers = {
        precision: [
            prediction.label
            for prediction in Classifier(bundles[precision]).predict_many(images.gate.grey)
        ]
        for precision in ("fp32", "int8")
    }
    same = np.mean([one == other for one, other in zip(*answers.values(), strict=True)])
    assert same >= 0.99
    right = np.mean([LABELS.index(name) for name in answers["int8"]] == images.gate_labels)
    assert right >= 0.97


def test_the_temperature_is_fitted_on_the_logits_of_the_very_graph(
    bundles: dict[str, Bundle], images: ExportImages
) -> None:
    for bundle in bundles.values():
        calibration = bundle.manifest["calibration"]
        logits = np.array(
            [
                list(prediction.logits.values())
                for prediction in Classifier(bundle).predict_many(images.gate.grey)
            ]
        )
        assert bundle.temperature == fit_temperature(logits, images.gate_labels, ALONE) != 1
        assert calibration["fitted_on"] == "validation part of textures, n 80"
        assert 0 <= calibration["ece_after"] < 0.2


def test_phantoms_fit_no_temperature_and_the_first_that_passes_is_taken(
    checkpoint: Checkpoint, images: ExportImages, tmp_path: Path
) -> None:
    synthetic = dataclasses.replace(images, synthetic=True, source="synthetic phantoms, seed 0")
    report = exported(checkpoint, tmp_path / "bundle", synthetic)
    assert report.bundle.temperature == 1
    assert report.bundle.manifest["trust"] is None
    assert report.bundle.manifest["gate"]["synthetic"] is True
    assert "Synthetic images" in (report.bundle.path / "README.md").read_text()
    assert [entry.variant.name for entry in report.tried] == ["static-min-max"]


def test_who_is_in_a_hurry_gets_the_first_that_passes(
    checkpoint: Checkpoint, images: ExportImages, tmp_path: Path
) -> None:
    report = exported(checkpoint, tmp_path / "bundle", images, quick=True)
    assert [entry.variant.name for entry in report.tried] == ["dynamic"]
    gate = report.bundle.manifest["gate"]
    assert gate["passed"] is True
    assert gate["corrupted"]["n"] >= images.corrupted


def test_in_a_hurry_too_what_fails_on_corrupted_images_is_not_taken(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = choice.judge_corrupted
    said: list[str] = []
    shown: list[str] = []

    def refusing_the_first(*arguments: Any, **options: Any) -> Any:
        report = verdict(*arguments, **options)
        if not any("corrupted" in text for text in shown):
            return dataclasses.replace(report, failures=("worse on corrupted images",))
        return report

    monkeypatch.setattr(choice, "judge_corrupted", refusing_the_first)
    report = exported(
        checkpoint,
        tmp_path / "bundle",
        images,
        quick=True,
        step=said.append,
        details=shown.append,
    )
    assert [(entry.variant.name, entry.passed) for entry in report.tried] == [
        ("dynamic", False),
        ("static-min-max", True),
    ]
    failed = [text for text in said if "failed" in text]
    assert len(failed) == 1
    assert "worse on corrupted images" in failed[0]
    assert "\n" not in failed[0]


def test_the_terminal_shows_one_line_each_and_the_chosen_ones_table(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        bundling,
        "quantized_variants",
        trying(lambda graph: losing(0, graph), the_graph_itself),
    )
    said: list[str] = []
    shown: list[str] = []
    exported(checkpoint, tmp_path / "bundle", images, step=said.append, details=shown.append)
    tables = [text for text in said if "agreement with FP32:" in text]
    assert len(tables) == 1
    assert tables[0].startswith("itself")
    assert "FAILED" not in "".join(said)
    assert "FAILED: glioma loses" in "".join(shown)


def test_a_blank_calibration_makes_static_fail_and_dynamic_is_taken(
    checkpoint: Checkpoint, images: ExportImages, tmp_path: Path
) -> None:
    black = ModelInputs(np.zeros_like(images.calibration.grey), checkpoint.preprocessor)
    blank = dataclasses.replace(images, calibration=black)
    report = exported(checkpoint, tmp_path / "bundle", blank)
    passed = {entry.variant.name: entry.passed for entry in report.tried}
    assert passed["dynamic"] is True
    assert passed["static-min-max"] is False
    quantization = report.bundle.manifest["quantization"]
    assert quantization["method"] == "dynamic"
    assert quantization["tried"]["static-min-max"]["passed"] is False
    assert report.bundle.manifest["gate"]["agreement"]["value"] >= 0.99


def test_the_gate_sees_what_brain_infer_will_see(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Dynamic quantization takes its ranges over a whole batch, and brain-infer runs one by one.
    seen: list[NDArray[np.float32]] = []

    def judged(labels: Any, fp32: Any, int8: Any, classes: Any) -> Any:
        seen.append(int8)
        return verdict(labels, fp32, int8, classes)

    def dynamic_alone(*arguments: Any, **options: Any) -> Iterator[Variant]:
        return (entry for entry in every(*arguments, **options) if entry.name == "dynamic")

    verdict, every = choice.judge, bundling.quantized_variants
    monkeypatch.setattr(choice, "judge", judged)
    monkeypatch.setattr(bundling, "quantized_variants", dynamic_alone)
    bundle = exported(checkpoint, tmp_path / "bundle", images).bundle
    given = [
        list(prediction.logits.values())
        for prediction in Classifier(bundle).predict_many(images.gate.grey)
    ]
    np.testing.assert_allclose(seen[0], given, rtol=0, atol=1e-5)


def test_a_quantization_that_gives_nan_fails_and_another_is_taken(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        bundling,
        "quantized_variants",
        trying(lambda graph: losing(0, graph, value=np.nan), the_graph_itself),
    )
    report = exported(checkpoint, tmp_path / "bundle", images)
    assert [entry.passed for entry in report.tried] == [False, True]
    assert report.bundle.manifest["quantization"]["name"] == "itself"


def test_when_all_fail_nothing_is_written_and_the_lost_class_is_named(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = trying(lambda graph: losing(0, graph), lambda graph: losing(3, graph))
    monkeypatch.setattr(bundling, "quantized_variants", both)
    with pytest.raises(QualityGateFailed) as failed:
        exported(checkpoint, tmp_path / "bundle", images)
    assert failed.value.exit_code == 86
    assert "without glioma: " in failed.value.message
    assert re.search(r"glioma loses (9\d|100)\.00 points of recall", failed.value.message)
    assert re.search(r"pituitary loses (9\d|100)\.00 points of recall", failed.value.message)
    assert "nothing was written" in failed.value.message
    assert list(tmp_path.iterdir()) == []


def test_when_seven_bits_fail_eight_are_named(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every = bundling.quantized_variants

    def first_spoilt(*given: Any, **options: Any) -> Iterator[Variant]:
        yield losing(0, next(iter(every(*given, **options))).graph)

    monkeypatch.setattr(bundling, "quantized_variants", first_spoilt)
    hints = {}
    for target in ("x64-avx2", "x64-vnni"):
        with pytest.raises(QualityGateFailed) as failed:
            exported(checkpoint, tmp_path / "bundle", images, target=target)
        hints[target] = failed.value.hint or ""
    assert "--target x64-vnni" in hints["x64-avx2"]
    assert "--target" not in hints["x64-vnni"]


def test_an_older_bundle_is_unharmed_when_the_gate_fails(
    checkpoint: Checkpoint,
    images: ExportImages,
    bundles: dict[str, Bundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = bundles["int8"].path
    before = contents(target)
    monkeypatch.setattr(bundling, "quantized_variants", trying(lambda graph: losing(1, graph)))
    with pytest.raises(QualityGateFailed):
        exported(checkpoint, target, images)
    assert contents(target) == before
    assert load_bundle(target).manifest == bundles["int8"].manifest


def test_int8_needs_images(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="int8 needs images"):
        exported(checkpoint, tmp_path / "bundle", None)
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_preprocessing_are_refused(
    checkpoint: Checkpoint, images: ExportImages, tmp_path: Path
) -> None:
    other = dataclasses.replace(checkpoint.preprocessor, rescale_factor=1 / 127.5)
    for part in ("calibration", "gate"):
        moved = ModelInputs(getattr(images, part).grey, other)
        with pytest.raises(ValueError, match="preprocessed otherwise"):
            exported(checkpoint, tmp_path / "bundle", dataclasses.replace(images, **{part: moved}))
    assert list(tmp_path.iterdir()) == []


def test_the_same_export_gives_the_same_graph(
    checkpoint: Checkpoint,
    images: ExportImages,
    bundles: dict[str, Bundle],
    tmp_path: Path,
) -> None:
    again = exported(checkpoint, tmp_path / "again", images).bundle
    assert again.model_bytes == bundles["int8"].model_bytes


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_evaluation_of_a_bundle_measures_what_brain_infer_answers(
    bundles: dict[str, Bundle], images: ExportImages, precision: str
) -> None:
    bundle = bundles[precision]
    predict = predictor(bundle.path)
    assert (predict.name, predict.temperature) == (f"cvt_test {precision}", bundle.temperature)
    assert predict.identity == f"bundle {bundle.manifest['manifest_sha256']}"
    answers = [
        list(prediction.logits.values())
        for prediction in Classifier(bundle).predict_many(images.gate.grey[:8])
    ]
    np.testing.assert_array_equal(predict(images.gate.grey[:8]), answers)
