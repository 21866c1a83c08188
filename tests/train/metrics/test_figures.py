import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from edge_infer.classes import BRAIN
from edge_infer.contract import LABELS
from train.metrics.figures import classification_metrics, wilson_interval


def drawn(n: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels, and probabilities that are right about two times in three."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(LABELS), n)
    scores = generator.normal(0, 1, (n, len(LABELS))) + 1.3 * np.eye(len(LABELS))[labels]
    exponentials = np.exp(scores)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def labels_and_probabilities() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return drawn(160)


@pytest.fixture(scope="module")
def metrics(
    labels_and_probabilities: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> dict[str, Any]:
    return classification_metrics(*labels_and_probabilities, BRAIN)


def test_wilsons_interval_of_eight_in_ten_is_the_known_one() -> None:
    figure = wilson_interval(8, 10)
    assert (figure.value, figure.n, figure.interval) == (0.8, 10, "wilson")
    assert figure.low == pytest.approx(0.490162, abs=1e-6)
    assert figure.high == pytest.approx(0.943318, abs=1e-6)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (1, 1), (650, 813), (3, 7)])
def test_wilsons_interval_is_scipys(successes: int, n: int) -> None:
    figure = wilson_interval(successes, n)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert figure.low == pytest.approx(expected.low, abs=1e-9)
    assert figure.high == pytest.approx(expected.high, abs=1e-9)


def test_a_share_of_nothing_is_undefined() -> None:
    figure = wilson_interval(0, 0)
    assert (figure.value, figure.low, figure.high, figure.n) == (None, None, None, 0)


def test_figures_are_scikit_learns(
    metrics: dict[str, Any],
    labels_and_probabilities: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    labels, probabilities = labels_and_probabilities
    predicted = probabilities.argmax(axis=1)
    expected = {
        "accuracy": (predicted == labels).mean(),
        "accuracy_by_group": (predicted == labels).mean(),
        "balanced_accuracy": balanced_accuracy_score(labels, predicted),
        "macro_f1": f1_score(labels, predicted, average="macro"),
        "roc_auc_macro": roc_auc_score(labels, probabilities, multi_class="ovr"),
    }
    for name, value in expected.items():
        assert metrics[name]["value"] == pytest.approx(value, abs=1e-12), name
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted)
    for index, name in enumerate(LABELS):
        figures = metrics["per_class"][name]
        assert figures["precision"]["value"] == pytest.approx(precision[index])
        assert figures["recall"]["value"] == pytest.approx(recall[index])
        assert figures["recall"]["n"] == support[index]
        assert figures["f1"]["value"] == pytest.approx(f1[index])
        area = roc_auc_score(labels == index, probabilities[:, index])
        assert figures["roc_auc"]["value"] == pytest.approx(area)
    matrix = metrics["confusion_matrix"]["rows_true_columns_predicted"]
    assert np.trace(matrix) == (predicted == labels).sum()
    assert np.sum(matrix) == len(labels)
    assert matrix[0][2] == ((labels == 0) & (predicted == 2)).sum()


def test_ties_count_half_in_the_area_as_in_scikit_learn() -> None:
    labels, probabilities = drawn(60, seed=4)
    answers = np.eye(len(LABELS))[probabilities.argmax(axis=1)]  # as of a baseline: 0 or 1
    metrics = classification_metrics(labels, answers, BRAIN)
    for index, name in enumerate(LABELS):
        expected = roc_auc_score(labels == index, answers[:, index])
        assert metrics["per_class"][name]["roc_auc"]["value"] == pytest.approx(expected)


def figures_in(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    if "interval" in value:
        return [value]
    return [figure for item in value.values() for figure in figures_in(item)]


def test_every_figure_has_its_number_and_an_interval_around_it(metrics: dict[str, Any]) -> None:
    figures = figures_in(metrics)
    assert len(figures) == 5 + 4 * len(LABELS) + 1
    for figure in figures:
        assert figure["n"] > 0
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert figure["high"] - figure["low"] > 0.01


def test_missed_tumours_are_counted_of_the_tumours(
    metrics: dict[str, Any],
    labels_and_probabilities: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    labels, probabilities = labels_and_probabilities
    tumours = labels != LABELS.index("no_tumor")
    missed = probabilities.argmax(axis=1)[tumours] == LABELS.index("no_tumor")
    figure = metrics["tumor_called_no_tumor"]
    assert figure["n"] == tumours.sum()
    assert figure["value"] == pytest.approx(missed.mean())


def width(figure: dict[str, Any]) -> float:
    return float(figure["high"] - figure["low"])


def test_few_groups_give_a_wider_interval_than_as_many_images_alone() -> None:
    patients = 12
    labels = np.repeat(np.arange(patients) % 4, 10)
    right = np.repeat(np.arange(patients) % 3 > 0, 10)  # a patient is right or wrong as a whole
    predicted = np.where(right, labels, (labels + 1) % 4)
    probabilities = np.eye(4)[predicted]
    groups = [f"patient {number}" for number in np.repeat(np.arange(patients), 10)]
    alone = classification_metrics(labels, probabilities, BRAIN)
    grouped = classification_metrics(labels, probabilities, BRAIN, groups=groups)
    assert grouped["groups"] == patients
    assert alone["groups"] == 0
    assert width(grouped["accuracy_by_group"]) > 2 * width(alone["accuracy_by_group"])
    assert grouped["accuracy"] == alone["accuracy"], "Wilson's knows no groups"
    # An image alone is a patient of its own, for which the bootstrap comes near to Wilson's.
    assert width(alone["accuracy_by_group"]) == pytest.approx(width(alone["accuracy"]), rel=0.1)


def test_the_same_seed_gives_the_same_intervals() -> None:
    labels, probabilities = drawn(30)
    first, second, other = (
        classification_metrics(labels, probabilities, BRAIN, seed=seed) for seed in (1, 1, 2)
    )
    assert first == second
    assert first["macro_f1"] != other["macro_f1"]
    assert first["accuracy"] == other["accuracy"]


def test_a_class_that_does_not_occur_is_undefined_and_no_nan() -> None:
    labels, probabilities = drawn(40)
    kept = labels != 1
    metrics = classification_metrics(labels[kept], probabilities[kept], BRAIN)
    absent = metrics["per_class"]["meningioma"]
    assert absent["recall"]["value"] is None
    assert absent["roc_auc"]["value"] is None
    assert not math.isnan(metrics["balanced_accuracy"]["value"])
    json.dumps(metrics, allow_nan=False)
