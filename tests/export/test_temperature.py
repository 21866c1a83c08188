import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.figures.calibration import expected_calibration_error
from edge_infer.prediction import softmax
from export.temperature import fit_temperature

#: Each image is its own patient.
ALONE = [str(number) for number in range(6000)]


def drawn(temperature: float, n: int = 6000) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits, and labels drawn from what the logits over ``temperature`` say."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (n, 4)).astype(np.float32)
    cumulated = softmax(logits, temperature).cumsum(axis=1)
    labels = (generator.random((n, 1)) > cumulated).sum(axis=1).astype(np.int64)
    return logits, labels.clip(0, 3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_the_labels_were_drawn_with_is_found(temperature: float) -> None:
    logits, labels = drawn(temperature)
    assert fit_temperature(logits, labels, ALONE) == pytest.approx(temperature, rel=0.06)


def test_the_fitted_temperature_calibrates_and_changes_no_answer() -> None:
    logits, labels = drawn(2.0)
    temperature = fit_temperature(logits, labels, ALONE)
    before = expected_calibration_error(labels, softmax(logits, 1.0))
    after = expected_calibration_error(labels, softmax(logits, temperature))
    assert before > 0.1
    assert after < 0.02
    assert (softmax(logits, temperature).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_images_that_are_all_right_do_not_make_a_model_surer() -> None:
    labels = np.arange(40) % 4
    logits = np.eye(4, dtype=np.float32)[labels]

    assert fit_temperature(logits, labels, ALONE[:40]) == 1.0

    logits[0] = [0.0, 3.0, 0.0, 0.0]  # a wrong one says how sure it may be
    assert 0.2 < fit_temperature(logits, labels, ALONE[:40]) < 1.0


def test_a_patient_counts_once_however_many_slices_there_are() -> None:
    logits, labels = drawn(2.0, n=600)
    sure = np.repeat(10 * np.eye(4, dtype=np.float32)[:1], 600, axis=0)
    both, of_both = np.concatenate([logits, sure]), np.concatenate([labels, np.zeros(600, int)])
    alone = fit_temperature(logits, labels, ALONE[:600])
    once = fit_temperature(both, of_both, [*ALONE[:600], *["one patient"] * 600])
    each = fit_temperature(both, of_both, ALONE[:1200])
    assert once == pytest.approx(alone, rel=0.02)
    assert each < 0.95 * alone


def test_the_calibration_error_of_a_case_done_by_hand() -> None:
    # Two bins: confidence 0.6 and half of them right, confidence 0.9 and all of them right.
    confidence = np.array([0.6] * 4 + [0.9] * 4)
    logits = np.log(np.stack([confidence, 1 - confidence], axis=1)).astype(np.float32)
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    error = expected_calibration_error(labels, softmax(logits, 1.0), bins=2)
    assert error == pytest.approx(0.5 * 0.1 + 0.5 * 0.1, abs=1e-6)
