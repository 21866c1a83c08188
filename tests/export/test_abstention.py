"""What a bundle abstains by, fitted on its own graph: see tests/export/trust for the fits themselves."""

import dataclasses

import numpy as np
import onnx
import pytest

from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, SCOPE_FILE
from edge_infer.prediction import softmax
from edge_infer.scope import ScopeModel
from export.abstention import fit_abstention
from export.int8.calibration import ExportImages
from export.model_card import model_card
from export.temperature import fit_temperature
from export.trust.out_of_fold import OutOfFold
from export.trust.scope_fit import threshold_at
from export.trust.set_fit import fit_thresholds, separate_groups

PRECISIONS = ("fp32", "fp16", "int8")


@pytest.fixture(scope="module")
def graph(graph_bytes: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(graph_bytes)


@pytest.fixture(scope="module")
def out_of_fold() -> OutOfFold:
    generator = np.random.default_rng(5)
    labels = np.arange(400) % len(LABELS)
    logits = 4 * np.eye(len(LABELS))[labels] + generator.normal(0, 1.5, (400, len(LABELS)))
    return OutOfFold(
        logits=logits,
        labels=labels,
        groups=tuple(f"p{row // 8}-{labels[row]}" for row in range(400)),
        source="folds.csv",
    )


def scope_scores(bundle: Bundle, images: ExportImages) -> np.ndarray:
    session = Classifier(bundle).session
    pixels = images.gate.pixel_values()
    embeddings = np.concatenate([session.run(one[None])[1] for one in pixels])
    scope = bundle.manifest["trust"]["scope"]
    data = (bundle.path / SCOPE_FILE).read_bytes()
    return ScopeModel.from_bundle(scope, data, len(LABELS)).score(embeddings)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_scope_check_is_fitted_on_the_embeddings_of_the_very_graph(
    bundles: dict[str, Bundle], images: ExportImages, precision: str
) -> None:
    scope = bundles[precision].manifest["trust"]["scope"]
    assert scope["threshold"] == pytest.approx(
        threshold_at(scope_scores(bundles[precision], images)), rel=1e-4
    )
    assert scope["fitted_on"] == {
        "train": "train part of textures, one of each copy, and each again with a mild corruption",
        "n_train": 192,
        "threshold": "validation part of textures, one of each copy",
        "n_threshold": 80,
    }
    assert scope["arrays"][1]["shape"][1] == 24, "an eighth of 192 images, not 64"


def test_each_precision_has_numbers_of_its_own(bundles: dict[str, Bundle]) -> None:
    thresholds = {
        name: bundle.manifest["trust"]["scope"]["threshold"] for name, bundle in bundles.items()
    }
    assert len(set(thresholds.values())) == len(PRECISIONS)
    files = {(bundle.path / SCOPE_FILE).read_bytes() for bundle in bundles.values()}
    assert len(files) == len(PRECISIONS)
    sets = {
        name: tuple(bundle.manifest["trust"]["set_thresholds"].values())
        for name, bundle in bundles.items()
    }
    assert sets["int8"] != sets["fp32"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_without_folds_the_sets_come_from_the_validation_images(
    bundles: dict[str, Bundle], images: ExportImages, precision: str
) -> None:
    bundle = bundles[precision]
    trust = bundle.manifest["trust"]
    logits = np.array(
        [
            list(prediction.logits.values())
            for prediction in Classifier(bundle).predict_many(images.gate.grey)
        ]
    )
    expected = fit_thresholds(
        softmax(logits, bundle.temperature), images.gate_labels, separate_groups([""] * 80)
    )
    assert list(trust["set_thresholds"].values()) == pytest.approx(expected, abs=1e-5)
    assert trust["fitted_on"]["way"] == "validation"
    assert trust["fitted_on"]["groups"] == dict.fromkeys(LABELS, 20)
    assert (
        "The validation part also chose the training epoch"
        in (bundle.path / "README.md").read_text()
    )


def test_folds_give_temperature_and_sets_and_the_graph_is_asked_whether_they_hold(
    graph: onnx.ModelProto, images: ExportImages, out_of_fold: OutOfFold
) -> None:
    fitted = fit_abstention(graph, images, out_of_fold)
    temperature = fit_temperature(out_of_fold.logits, out_of_fold.labels, out_of_fold.groups)
    assert fitted.calibration["temperature"] == temperature
    assert fitted.calibration["fitted_on"].endswith("(folds.csv), n 400")
    assert fitted.trust is not None
    assert list(fitted.trust["set_thresholds"].values()) == fit_thresholds(
        softmax(out_of_fold.logits, temperature), out_of_fold.labels, out_of_fold.groups
    )
    assert fitted.trust["fitted_on"]["way"] == "out-of-fold"
    assert fitted.trust["fitted_on"]["n"] == 400
    check = fitted.calibration["check"]
    assert check["n"] == 80
    assert {label: entry["groups"] for label, entry in check["coverage"].items()} == dict.fromkeys(
        LABELS, 20
    )
    assert fitted.scope is not None
    assert fitted.trust["scope"]["fitted_on"]["n_train"] == 192


def test_folds_without_images_give_sets_and_no_scope_check(
    graph: onnx.ModelProto, out_of_fold: OutOfFold
) -> None:
    fitted = fit_abstention(graph, None, out_of_fold)
    assert fitted.trust is not None
    assert fitted.trust["scope"] is None
    assert fitted.scope is None
    assert "check" not in fitted.calibration


def test_nothing_to_fit_on_fits_nothing(graph: onnx.ModelProto, images: ExportImages) -> None:
    synthetic = dataclasses.replace(images, synthetic=True)
    for given in (None, synthetic):
        fitted = fit_abstention(graph, given, None)
        assert (fitted.trust, fitted.scope) == (None, None)
        assert fitted.calibration["temperature"] == 1


def test_few_patients_get_the_largest_score_and_the_card_says_so(
    graph: onnx.ModelProto, images: ExportImages
) -> None:
    assert images.trust is not None
    few = dataclasses.replace(
        images,
        trust=dataclasses.replace(
            images.trust, gate_groups=tuple(f"p{row % 20}" for row in range(80))
        ),
    )
    fitted = fit_abstention(graph, few, None)
    assert fitted.trust is not None
    assert fitted.trust["fitted_on"]["groups"] == dict.fromkeys(LABELS, 5)
    assert max(fitted.trust["set_thresholds"].values()) < 1
    card = model_card(
        {
            "model": "m",
            "precision": "fp32",
            "quantization": {"method": "none"},
            "metrics": {},
            "gate": None,
            "calibration": fitted.calibration,
            "trust": fitted.trust,
            "provenance": {},
        }
    )
    assert "Fewer than 9 patient groups of glioma, meningioma, no_tumor, pituitary" in card


def test_the_card_shows_each_threshold_as_a_probability(bundles: dict[str, Bundle]) -> None:
    for bundle in bundles.values():
        card = (bundle.path / "README.md").read_text()
        assert "## When it abstains" in card
        trust = bundle.manifest["trust"]
        for label, threshold in trust["set_thresholds"].items():
            assert f"| {label} | {1 - threshold:.3f} | 20 |" in card
        assert f"its score is above {trust['scope']['threshold']:.3f}" in card


def test_a_bundle_that_never_abstains_says_so() -> None:
    card = model_card(
        {
            "model": "m",
            "precision": "fp32",
            "quantization": {"method": "none"},
            "metrics": {},
            "gate": None,
            "calibration": {"temperature": 1.0, "fitted_on": "nothing"},
            "trust": None,
            "provenance": {},
        }
    )
    assert "neither a scope check nor prediction sets" in card
