"""Risk against coverage, against the closed form of the paper."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.metrics.figures import GroupBootstrap
from train.trust.selective import augrc, risk_coverage, selective_figures


@pytest.mark.parametrize("digits", [1, 6])
def test_augrc_is_that_of_the_paper(digits: int) -> None:
    """Traub et al. 2024: AUGRC = (1 - AUROC) a (1 - a) + (1 - a)^2 / 2; with one digit many are equal."""
    generator = np.random.default_rng(0)
    wrong = generator.random(500) < 0.2
    confidence = np.round(generator.random(500) - 0.3 * wrong, digits)
    right = 1 - wrong.mean()
    expected = (1 - roc_auc_score(~wrong, confidence)) * right * (1 - right) + (1 - right) ** 2 / 2
    assert augrc(confidence, wrong) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_order_has_only_the_risk_that_nothing_avoids() -> None:
    wrong = np.array([False] * 8 + [True] * 2)
    sure_of_right = np.linspace(1, 0, 10)
    assert augrc(sure_of_right, wrong) == pytest.approx(0.2**2 / 2)
    assert augrc(-sure_of_right, wrong) == pytest.approx(0.2 * 0.8 + 0.2**2 / 2)
    assert augrc(sure_of_right, np.zeros(10, dtype=bool)) == 0


def test_images_of_one_confidence_are_answered_together() -> None:
    answered, risks = risk_coverage(np.array([0.9, 0.5, 0.5, 0.5]), np.array([0, 1, 0, 0]) > 0)
    assert answered.tolist() == [0, 0.25, 1]
    assert risks.tolist() == [0, 0, 0.25]


def test_accuracy_is_given_at_each_coverage() -> None:
    wrong = np.zeros(100, dtype=bool)
    wrong[[97, 98, 99]] = True  # the least sure
    wrong[50] = True
    found = selective_figures(np.linspace(1, 0.3, 100), wrong, GroupBootstrap(100))
    accuracy = {key: figure["value"] for key, figure in found["accuracy_at"].items()}
    assert accuracy == pytest.approx(
        {"1.00": 0.96, "0.95": 94 / 95, "0.90": 89 / 90, "0.80": 79 / 80}
    )
    assert found["accuracy_at"]["0.90"]["n"] == 100
    assert found["accuracy_at"]["0.90"]["low"] < 89 / 90
    assert found["curve"][49] == [0.5, 0.0]
    assert found["curve"][-1] == [1.0, 0.04]
