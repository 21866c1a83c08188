import numpy as np
import pytest
from numpy.typing import NDArray

from export.trust.set_fit import (
    coverage,
    fit_thresholds,
    group_counts,
    least_groups,
    least_score,
    prediction_sets,
    separate_groups,
)

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


def two_classes(of_class_0: list[float]) -> tuple[Floats, Ids]:
    """Images of class 0 with these probabilities of it."""
    sure = np.array(of_class_0)
    return np.stack([sure, 1 - sure], axis=1), np.zeros(len(sure), dtype=np.int64)


def threshold(sure: list[float], groups: str, alpha: float = 0.1, **options: bool) -> float:
    probabilities, labels = two_classes(sure)
    return fit_thresholds(probabilities, labels, list(groups), alpha=alpha, **options)[0]


def test_of_nineteen_patients_the_eighteenth_decides() -> None:
    # ceil((19 + 1) * 0.9) = 18, the textbook's rank: scores 0.01, 0.02, ..., 0.19
    sure = [1 - number / 100 for number in range(1, 20)]
    assert threshold(sure, "abcdefghijklmnopqrs") == pytest.approx(0.18, abs=2e-6)


def test_each_group_weighs_the_same_whatever_its_number_of_images() -> None:
    # alpha 1/2, 3 groups: level 1/2 * 4/3 = 2/3. By image a's 0.9, 0.8, 0.7 and 0.6 would fill 4/6 of the weight.
    # By group each of a's four weighs 1/12, so 2/3 is reached with b's image: 4/12 + 1/3, and the score 0.5 of b.
    sure = [0.9, 0.8, 0.7, 0.6, 0.5, 0.1]
    assert threshold(sure, "aaaabc", alpha=0.5) == pytest.approx(0.5, abs=2e-6)
    # Each a group of its own: level 1/2 * 7/6 = 7/12 of six images, reached by the fourth.
    assert threshold(sure, "uvwxyz", alpha=0.5) == pytest.approx(0.4, abs=2e-6)


def test_with_too_few_groups_the_class_is_in_every_set() -> None:
    sure = [0.9] * 8
    assert least_groups(0.1) == 9
    assert threshold(sure, "abcdefgh") == 1.0
    assert threshold(sure, "abcdefgh", best_of_few=True) == pytest.approx(0.1, abs=2e-6)
    assert threshold([0.9] * 9, "abcdefghi") == pytest.approx(0.1, abs=2e-6)


def test_many_slices_of_few_patients_are_few() -> None:
    assert threshold([0.9] * 80, "abcdefgh" * 10) == 1.0


def test_a_class_without_images_is_in_every_set() -> None:
    probabilities, labels = two_classes([0.9] * 20)
    thresholds = fit_thresholds(probabilities, labels, [str(row) for row in range(20)])
    assert thresholds[1] == 1.0


@pytest.mark.parametrize(("alpha", "groups"), [(0.5, 1), (0.2, 4), (0.1, 9), (0.05, 19)])
def test_the_least_number_of_groups_is_the_one_that_reaches_the_level(
    alpha: float, groups: int
) -> None:
    assert least_groups(alpha) == groups
    assert (1 - alpha) * (groups + 1) / groups <= 1 + 1e-9


def test_groups_are_counted_by_class_and_unknown_ones_are_apart() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    assert group_counts(labels, ["a", "a", "b", "a", "c"], 3) == [2, 2, 0]
    assert len(set(separate_groups(["", "", "p", "p"]))) == 3


def drawn(count: int, seed: int, groups: int) -> tuple[Floats, Ids, list[str]]:
    """Three classes; slices of a patient share how hard the patient is."""
    generator = np.random.default_rng(seed)
    patient = generator.integers(0, groups, count)
    label_of = generator.integers(0, 3, groups)
    hard = generator.normal(0, 0.8, (groups, 3))
    labels = label_of[patient]
    logits = 2.5 * np.eye(3)[labels] + hard[patient] + generator.normal(0, 0.8, (count, 3))
    exponentials = np.exp(logits)
    names = [f"{seed}-{number}" for number in patient]
    return exponentials / exponentials.sum(axis=1, keepdims=True), labels, names


def test_new_patients_are_covered_as_promised_and_shuffled_labels_are_not() -> None:
    fitted, tested = drawn(6000, 1, 600), drawn(6000, 2, 600)
    thresholds = fit_thresholds(*fitted)
    shares = coverage(*tested, thresholds)
    assert all(share is not None and 0.86 <= share <= 0.94 for share in shares), shares
    # The negative control: with shuffled labels the same sets miss most of what they are asked for ...
    shuffled = np.random.default_rng(0).permutation(tested[1])
    wrong = coverage(tested[0], shuffled, tested[2], thresholds)
    assert all(share is not None and share < 0.6 for share in wrong), wrong
    # ... and thresholds fitted on shuffled labels keep what they promise only with sets that say nothing.
    useless = fit_thresholds(fitted[0], np.random.default_rng(0).permutation(fitted[1]), fitted[2])
    assert prediction_sets(tested[0], thresholds).sum(axis=1).mean() < 1.5
    assert prediction_sets(tested[0], useless).sum(axis=1).mean() > 2


def test_one_patient_with_many_hard_slices_does_not_move_the_threshold_much() -> None:
    sure = [0.95 - 0.01 * number for number in range(30)]
    names = [chr(ord("A") + number) for number in range(30)]
    plain = threshold(sure, "".join(names))
    crowded = threshold(sure + [0.05] * 300, "".join([*names, *("z" * 300)]))
    assert plain < 0.35
    assert crowded < 0.35
    by_image = threshold(
        sure + [0.05] * 300, "".join(chr(0x4E00 + number) for number in range(330))
    )
    assert by_image > 0.9


def test_the_least_score_of_a_case_done_by_hand() -> None:
    # Sets of one class throughout. From the top: right, right, right, wrong, right, wrong.
    top = np.array([0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([top, 1 - top], axis=1)
    labels = np.array([0, 0, 0, 1, 0, 1])
    names = list("abcdef")
    everything = [0.4, 0.01]  # class 0 from 0.6, class 1 hardly ever
    assert (prediction_sets(probabilities, everything).sum(axis=1) == 1).all()
    # Down to 0.7 four of five are right.
    assert least_score(probabilities, labels, names, everything, target=0.8) == pytest.approx(
        0.7, abs=2e-6
    )
    assert least_score(probabilities, labels, names, everything, target=0.9) == pytest.approx(
        0.9, abs=2e-6
    )
    assert least_score(probabilities, labels, names, everything, target=0.6) == 0.0


def test_patients_count_once_in_the_least_score() -> None:
    # A patient of three right slices and a patient of one wrong one: by image 3/4 are right, by patient half.
    top = np.array([0.9, 0.9, 0.9, 0.8])
    probabilities = np.stack([top, 1 - top], axis=1)
    labels = np.array([0, 0, 0, 1])
    options = {"thresholds": [0.4, 0.01], "target": 0.7}
    assert least_score(probabilities, labels, list("aaab"), **options) == pytest.approx(0.9)
    assert least_score(probabilities, labels, list("abcd"), **options) == 0.0


def test_what_is_never_accurate_enough_is_never_accepted() -> None:
    probabilities, _ = two_classes([0.9, 0.8])
    wrong = np.array([1, 1])
    assert least_score(probabilities, wrong, ["a", "b"], [0.4, 0.01]) == 1.0
    assert least_score(probabilities, wrong, ["a", "b"], [1.0, 1.0]) == 1.0, "no set of one class"


def test_images_of_the_same_score_are_accepted_together() -> None:
    probabilities, _ = two_classes([0.9, 0.8, 0.8])
    labels = np.array([0, 0, 1])
    found = least_score(probabilities, labels, list("abc"), [0.4, 0.01], target=0.9)
    assert found == pytest.approx(0.9, abs=2e-6)
