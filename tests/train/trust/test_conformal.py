"""Thresholds by patient group, coverage, and that shuffled labels break it."""

import numpy as np
import pytest

from edge_infer.contract import LABELS
from edge_infer.figures import intervals
from export.trust.set_fit import fit_thresholds
from train.metrics.figures import GroupBootstrap
from train.trust import conformal
from train.trust.conformal import (
    coverage_figures,
    group_threshold,
    resplit_figures,
    set_size_figures,
    shuffled,
)


def drawn(seed: int, patients: int, images: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Probabilities, labels and groups: patients of each class, whose images share how hard they are."""
    generator = np.random.default_rng(seed)
    labels, groups, rows = [], [], []
    for label in range(len(LABELS)):
        for patient in range(patients):
            hard = generator.normal(2.0, 1.5)
            for _ in range(1 + generator.integers(images)):
                logits = generator.normal(0, 0.7, len(LABELS))
                logits[label] += hard
                rows.append(np.exp(logits) / np.exp(logits).sum())
                labels.append(label)
                groups.append(f"{label}-{patient}")
    return np.array(rows), np.array(labels), groups


def test_a_group_weighs_the_same_however_many_images_it_has() -> None:
    # ten groups of one image, and one of a thousand with the largest score
    scores = np.concatenate([np.arange(10) / 100, np.full(1000, 0.9)])
    groups = np.concatenate([np.arange(10), np.full(1000, 10)])
    # level 0.8 * 12 / 11 = 0.873 of 11 groups: the tenth reaches 0.909; by image all would be 0.9
    assert group_threshold(scores, groups, alpha=0.2) == 0.09
    assert group_threshold(scores, np.arange(1010), alpha=0.2) == 0.9


def test_too_few_groups_take_the_largest_score_and_no_image_leaves_no_class_out() -> None:
    scores, groups = np.array([0.3, 0.1, 0.2]), np.array([0, 1, 2])
    assert group_threshold(scores, groups, alpha=0.1) == 0.3
    assert group_threshold(np.array([]), np.array([], dtype=np.int64), alpha=0.1) == 1.0


@pytest.mark.parametrize("patients", [4, 9, 30])
def test_the_rule_is_the_one_that_bundles_are_fitted_by(patients: int) -> None:
    probabilities, labels, groups = drawn(5, patients, 6)
    exported = fit_thresholds(probabilities, labels, groups, alpha=0.1, best_of_few=True)
    numbers = np.unique(groups, return_inverse=True)[1]
    for label, expected in enumerate(exported):
        its = labels == label
        own = group_threshold(1 - probabilities[its, label], numbers[its], 0.1)
        assert expected - 1.001e-6 <= own <= expected, "that of bundles is rounded up to 6 digits"


def test_coverage_holds_on_new_patients_and_shuffled_labels_break_it() -> None:
    probabilities, labels, groups = drawn(1, 60, 5)
    new, new_labels, new_groups = drawn(2, 60, 5)
    numbers = np.unique(groups, return_inverse=True)[1]
    thresholds = np.array(
        [
            group_threshold(1 - probabilities[labels == k, k], numbers[labels == k], 0.1)
            for k in range(len(LABELS))
        ]
    )
    in_set = 1 - new <= thresholds
    bootstrap = GroupBootstrap(len(new), groups=new_groups)
    held = coverage_figures(in_set, new_labels, new_groups, bootstrap)
    assert held["all"]["coverage"]["value"] == pytest.approx(0.9, abs=0.05)
    assert held["glioma"]["groups"] == 60
    assert held["glioma"]["coverage"]["n"] == int((new_labels == 0).sum())

    broken = coverage_figures(in_set, shuffled(new_labels), new_groups, bootstrap)
    by_chance = in_set.sum(axis=1).mean() / len(LABELS)
    assert broken["all"]["coverage"]["value"] == pytest.approx(by_chance, abs=0.05)
    assert broken["all"]["coverage"]["high"] < 0.7, "the test would see it"


def test_thresholds_fitted_on_shuffled_labels_leave_hardly_a_class_out() -> None:
    """Control of the other side: what such labels give is coverage by sets that say nothing."""
    probabilities, labels, groups = drawn(3, 60, 5)
    numbers = np.unique(groups, return_inverse=True)[1]
    wrong = shuffled(labels)

    def size(given: np.ndarray) -> float:
        thresholds = [
            group_threshold(1 - probabilities[given == k, k], numbers[given == k], 0.1)
            for k in range(len(LABELS))
        ]
        return float((1 - probabilities <= thresholds).sum(axis=1).mean())

    assert size(wrong) > size(labels) + 1


def test_halves_by_patient_cover_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conformal, "RESPLITS", 200)
    probabilities, labels, groups = drawn(4, 50, 4)
    own = np.full(len(LABELS), 2.0)  # holds everything
    found = resplit_figures(probabilities, labels, groups, own, 0.1)
    assert found["count"] == 200
    for name in (*LABELS, "all"):
        assert found["refitted"][name]["mean"] == pytest.approx(0.9, abs=0.05)
        assert found["own"][name] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert found["refitted"]["glioma"]["low"] < found["refitted"]["glioma"]["mean"]
    assert found["own"]["set_size"]["mean"] == len(LABELS)
    assert found["too_few_groups"] == dict.fromkeys(LABELS, 0.0)
    few = resplit_figures(probabilities, labels, [str(g) for g in labels], own, 0.1)
    assert few["too_few_groups"] == dict.fromkeys(LABELS, 1.0), "one group a class"


def test_a_patient_is_never_in_both_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each patient has one score of its own: thresholds of one half cannot know those of the other."""
    monkeypatch.setattr(conformal, "RESPLITS", 50)
    tried: list[set[float]] = []
    fitted: list[set[float]] = []
    threshold, test = conformal._thresholds, conformal._tried

    def seen_fit(probabilities: np.ndarray, *rest: object) -> np.ndarray:
        fitted.append(set(probabilities[:, 0].tolist()))
        return threshold(probabilities, *rest)  # type: ignore[arg-type]

    def seen_try(probabilities: np.ndarray, *rest: object) -> np.ndarray:
        tried.append(set(probabilities[:, 0].tolist()))
        return test(probabilities, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(conformal, "_thresholds", seen_fit)
    monkeypatch.setattr(conformal, "_tried", seen_try)
    labels = np.repeat(np.arange(40) % 4, 3)
    scores = np.repeat(np.linspace(0.3, 0.9, 40), 3)  # three images a patient
    probabilities = np.stack([scores, *[(1 - scores) / 3] * 3], axis=1)
    groups = [f"p{patient}" for patient in np.repeat(np.arange(40), 3)]
    resplit_figures(probabilities, labels, groups, np.ones(4), 0.1)
    assert len(fitted) == 50
    for number, half in enumerate(fitted):
        assert not half & tried[2 * number]
        assert half | tried[2 * number] == set(scores.tolist())


def test_the_sizes_of_sets_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_RESAMPLES", 20)
    in_set = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0]], dtype=bool)
    found = set_size_figures(in_set, GroupBootstrap(4))
    assert found["mean"]["value"] == 1.25
    assert [found[key]["value"] for key in ("empty", "single", "several")] == [0.25, 0.5, 0.25]
    assert found["empty"]["n"] == 4
