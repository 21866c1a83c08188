"""What chance alone adds to the calibration error, and the likelihood."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from edge_infer.figures.calibration import (
    calibration_noise,
    expected_calibration_error,
    negative_log_likelihood,
)


def test_the_noise_is_the_error_of_a_perfectly_calibrated_model() -> None:
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, 150)
    probabilities = np.stack([sure, 1 - sure], axis=1)
    errors = [
        expected_calibration_error((generator.random(150) >= sure).astype(np.int64), probabilities)
        for _ in range(200)
    ]
    assert calibration_noise(probabilities) == pytest.approx(np.mean(errors), rel=0.05)
    many = np.tile(probabilities, (20, 1))
    assert calibration_noise(many) < calibration_noise(probabilities) / 3


def test_the_likelihood_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(4), 50)
    labels = generator.integers(0, 4, 50)
    expected = log_loss(labels, probabilities, labels=range(4))
    assert negative_log_likelihood(labels, probabilities) == pytest.approx(expected)
