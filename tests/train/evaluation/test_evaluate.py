import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import NoInputs
from edge_infer.prediction import softmax
from edge_infer.preprocessing import PreprocessorConfig
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.evaluation.evaluate import evaluate, summary
from train.plots import plot_curve

FILES = ["confusion.png", "metrics.json", "predictions.csv", "reliability.png", "roc.png"]
TEMPERATURE = 2.0


def logits_of(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A reproducible model: linear in four means of the image."""
    quarters = [grey[:, :16, :16], grey[:, :16, 16:], grey[:, 16:, :16], grey[:, 16:, 16:]]
    means = np.stack([part.mean(axis=(1, 2)) for part in quarters], axis=1)
    return np.asarray((means - means.mean(axis=1, keepdims=True)) / 10)


@pytest.fixture(scope="module")
def pixels(
    phantom_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> NDArray[np.uint8]:
    config = PreprocessorConfig(height=32, width=32)
    return PixelCache.build(phantom_samples, config, tmp_path_factory.mktemp("cache")).pixels


@pytest.fixture(scope="module")
def evaluated(
    phantom_samples: list[Sample],
    pixels: NDArray[np.uint8],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("evaluation") / "test"
    rows = [row for row, sample in enumerate(phantom_samples) if sample.split != "train"]
    steps: list[tuple[int, int]] = []
    metrics = evaluate(
        logits_of,
        phantom_samples,
        pixels,
        rows,
        folder,
        title="phantoms, val and test",
        temperature=TEMPERATURE,
        provenance={"command": "brain-train evaluate"},
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(12, 12)]
    return folder, metrics


def test_everything_is_written(evaluated: tuple[Path, dict[str, Any]]) -> None:
    folder, metrics = evaluated
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert metrics["research_use_only"] == RESEARCH_USE_ONLY
    assert metrics["provenance"] == {"command": "brain-train evaluate"}
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(folder / name) as image:
                image.load()
                assert min(image.size) > 300


def test_predictions_recompute_to_the_metrics(
    evaluated: tuple[Path, dict[str, Any]],
    phantom_samples: list[Sample],
    pixels: NDArray[np.uint8],
) -> None:
    folder, metrics = evaluated
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 == metrics["model"]["n"]
    truth, predicted = ([row[key] for row in rows] for key in ("label", "predicted"))
    assert accuracy_score(truth, predicted) == pytest.approx(metrics["model"]["accuracy"]["value"])
    again = f1_score(truth, predicted, average="macro")
    assert again == pytest.approx(metrics["model"]["macro_f1"]["value"])
    by_name = {sample.name: (row, sample) for row, sample in enumerate(phantom_samples)}
    for written in rows:
        index, sample = by_name[written["name"]]
        assert (written["label"], written["group"]) == (sample.class_name, sample.group)
        logits = logits_of(pixels[index : index + 1])[0]
        given = [float(written[f"logit_{name}"]) for name in LABELS]
        np.testing.assert_allclose(given, logits, rtol=0, atol=1e-6)
        shown = [float(written[f"p_{name}"]) for name in LABELS]
        np.testing.assert_allclose(shown, softmax(logits, TEMPERATURE), rtol=0, atol=1e-6)
        assert written["predicted"] == LABELS[int(logits.argmax())]


def test_the_baselines_stand_beside_the_model(evaluated: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = evaluated
    assert set(metrics["baselines"]) == {"nearest_neighbour", "image_size"}
    for baseline in metrics["baselines"].values():
        assert baseline["n"] == 12
    # All phantoms have one size, so the table knows one answer, right for a quarter.
    assert metrics["baselines"]["image_size"]["accuracy"]["value"] == 0.25


def test_the_summary_says_each_figure_with_interval_and_number(
    evaluated: tuple[Path, dict[str, Any]],
) -> None:
    _, metrics = evaluated
    text = summary(metrics)
    assert text.startswith("phantoms, val and test\n")
    assert "nearest neighbour" in text
    assert "image size" in text
    accuracy = metrics["model"]["accuracy"]
    shown = f"{100 * accuracy['value']:.2f} % ({100 * accuracy['low']:.1f}..{100 * accuracy['high']:.1f})"
    assert shown in text
    for label in LABELS:
        assert f"recall {label}: " in text
    assert text.count("n 3") == len(LABELS)
    assert "tumour called no_tumor" in text


def test_a_perfect_model_scores_one(
    phantom_samples: list[Sample], pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    rows = [row for row, sample in enumerate(phantom_samples) if sample.split == "test"]
    answers = iter([[phantom_samples[row].label for row in rows]])
    metrics = evaluate(
        lambda _: 9 * np.eye(4)[next(answers)],
        phantom_samples,
        pixels,
        rows,
        tmp_path,
        title="perfect",
        provenance={},
    )
    assert metrics["model"]["accuracy"]["value"] == 1
    assert metrics["model"]["macro_f1"]["value"] == 1
    assert metrics["model"]["roc_auc_macro"]["value"] == 1
    assert metrics["model"]["tumor_called_no_tumor"]["value"] == 0


def test_without_an_image_there_is_nothing_to_evaluate(
    phantom_samples: list[Sample], pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    with pytest.raises(NoInputs, match="nothing here") as refused:
        evaluate(
            logits_of,
            phantom_samples,
            pixels,
            [],
            tmp_path / "out",
            title="nothing here",
            provenance={},
        )
    assert refused.value.exit_code == 21
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "history", [[], [{"epoch": 1.0, "loss": 0.5}, {"epoch": 1.0, "eval_accuracy": 0.5}]]
)
def test_a_curve_is_drawn_however_short_the_history(
    tmp_path: Path, history: list[dict[str, float]]
) -> None:
    plot_curve(history, "a run", tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as image:
        image.load()
