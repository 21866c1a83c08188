"""The bundle inside the package: whole, gated on real images, and answering."""

import math
from pathlib import Path

import pytest

from edge_infer import Classifier, load_bundle, saturation
from edge_infer.bundle import Bundle, shipped_bundle_path
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("brisc_*.jpg"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(shipped_bundle_path())


def test_it_is_an_int8_efficientnet_lite_whose_gate_passed_on_real_images(bundle: Bundle) -> None:
    gate = bundle.manifest["gate"]
    assert (bundle.manifest["model"], bundle.manifest["precision"]) == ("efficientnet-lite", "int8")
    assert not gate["synthetic"]
    assert gate["agreement"]["n"] >= 500
    assert gate["agreement"]["value"] >= 0.995
    assert all(row["recall_loss"] <= 0.005 for row in gate["per_class"].values())


def test_its_card_holds_the_measured_figures_with_n_and_the_notice(bundle: Bundle) -> None:
    card = (bundle.path / "README.md").read_text(encoding="utf-8")
    assert RESEARCH_USE_ONLY in card
    (metrics,) = bundle.manifest["metrics"].values()
    accuracy = metrics["model"]["accuracy"]
    assert accuracy["n"] == 813
    assert f"{100 * accuracy['value']:.2f} %" in card


def test_its_manifest_names_no_path_of_the_machine_that_made_it(bundle: Bundle) -> None:
    for name in ("manifest.json", "README.md", "config.json"):
        text = (bundle.path / name).read_text(encoding="utf-8")
        assert "/home/" not in text
        assert str(Path(__file__).parents[2]) not in text


@pytest.mark.parametrize("scan", EXAMPLES, ids=lambda path: path.stem)
def test_it_names_each_example_rightly_with_evidence_that_adds_up(scan: Path) -> None:
    prediction = Classifier.load().predict(scan)
    assert (prediction.decision, prediction.reasons) == ("accept", ())
    assert scan.stem.removeprefix("brisc_").startswith(prediction.label)
    assert math.isclose(sum(prediction.probabilities.values()), 1.0, abs_tol=1e-9)
    for index, label in enumerate(LABELS):
        assert prediction.evidence[index].mean() == pytest.approx(
            prediction.logits[label], abs=1e-3
        )


def test_it_replays_its_golden_images_with_the_precaution_against_saturation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The precaution makes onnxruntime write the weights anew, on every x64 processor with AVX2."""
    monkeypatch.setattr(saturation, "products_saturate", lambda: True)
    assert Classifier.load().predict(EXAMPLES[0]).label in LABELS


def test_there_is_an_example_of_each_class() -> None:
    names = [path.stem.removeprefix("brisc_") for path in EXAMPLES]
    assert len(names) == len(LABELS)
    assert all(name.startswith(label) for name, label in zip(names, LABELS, strict=True))
