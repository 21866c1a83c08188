from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_infer.bundle import Bundle
from edge_infer.classes import BRAIN
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from export.model_card import INTENDED_USE, model_card
from train.metrics.figures import classification_metrics


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    labels = np.arange(40) % 4
    answers = np.where(generator.random(40) < 0.8, labels, 3)
    model = classification_metrics(labels, np.eye(4)[answers], BRAIN)
    floor = classification_metrics(labels, np.eye(4)[np.zeros(40, dtype=int)], BRAIN)
    return {
        "title": "a model on forty images",
        "model": model,
        "baselines": {"nearest_neighbour": floor},
        "provenance": {"command": "brain-train evaluate it"},
    }


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "model": "cvt13",
        "precision": "fp32",
        "quantization": {"method": "none"},
        "metrics": {},
        "gate": None,
        "calibration": {"temperature": 1.5, "fitted_on": "validation part of brisc, n 3"},
        "provenance": {"recipe": "cvt13-cpu", "versions": {"torch": "9.9"}},
        **changes,
    }


def shown(label: str, figure: dict[str, Any]) -> str:
    return (
        f"| {label} | {100 * figure['value']:.2f} % "
        f"| {100 * figure['low']:.1f}..{100 * figure['high']:.1f} % | {figure['n']} |"
    )


def test_every_figure_is_the_evaluations_with_interval_and_number(
    evaluation: dict[str, Any],
) -> None:
    card = model_card(manifest(metrics={"1-test": evaluation}))
    model = evaluation["model"]
    assert "### a model on forty images" in card
    assert shown("accuracy", model["accuracy"]) in card
    assert shown("macro F1", model["macro_f1"]) in card
    assert shown("tumour called no_tumor", model["tumor_called_no_tumor"]) in card
    for name in LABELS:
        assert shown(f"recall {name}", model["per_class"][name]["recall"]) in card
    floor = evaluation["baselines"]["nearest_neighbour"]["accuracy"]
    assert shown("accuracy of the baseline nearest neighbour", floor) in card
    assert "Measured by: `brain-train evaluate it`" in card


def test_what_was_not_measured_is_said_and_not_made_up() -> None:
    card = model_card(manifest())
    assert "Nothing was measured" in card
    assert "accuracy" not in card
    assert "INT8 gate" not in card


def test_use_and_origin_are_stated() -> None:
    card = model_card(manifest())
    assert RESEARCH_USE_ONLY in card
    assert INTENDED_USE in card
    assert "| recipe | cvt13-cpu |" in card
    assert "| temperature | 1.5 (validation part of brisc, n 3) |" in card
    assert card.startswith("---\nlicense: apache-2.0\n")


def test_the_gate_of_an_int8_bundle_is_in_its_card(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["int8"]
    gate = bundle.manifest["gate"]
    card = (bundle.path / "README.md").read_text()
    assert f"Agreement with FP32: {100 * gate['agreement']['value']:.2f} %" in card
    for name, row in gate["per_class"].items():
        assert f"| {name} | {row['n']} | {100 * row['recall_fp32']:.2f} % " in card
    assert "Judged on textures. Validation part only." in card
    assert f"On {gate['corrupted']['n']} corrupted variants" in card
    assert "Too close to call, judged apart (FP32 leads by less than 0.02): 0 of 80, " in card


def test_all_quantizations_that_were_tried_are_in_the_card(bundles: dict[str, Bundle]) -> None:
    quantization = bundles["int8"].manifest["quantization"]
    card = (bundles["int8"].path / "README.md").read_text()
    assert f"Shipped: **{quantization['name']}**" in card
    assert len(quantization["tried"]) == 11  # 4 static, 1 corrected, 5 mixed, dynamic
    for name, row in quantization["tried"].items():
        assert f"| {name} | {'passed' if row['passed'] else 'failed'} | " in card
        assert f"| {row['p50_ms']} | {row['size_bytes'] / 1e6:.1f} |" in card


def test_a_gate_on_phantoms_is_called_synthetic(bundles: dict[str, Bundle]) -> None:
    gate = {**bundles["int8"].manifest["gate"], "synthetic": True, "source": "phantoms"}
    assert "Synthetic images: this says nothing about patients" in model_card(
        manifest(gate=gate, precision="int8")
    )


def test_the_card_in_the_bundle_is_made_from_its_manifest(bundles: dict[str, Bundle]) -> None:
    for bundle in bundles.values():
        written = Path(bundle.path / "README.md").read_text()
        assert written == model_card(bundle.manifest)
