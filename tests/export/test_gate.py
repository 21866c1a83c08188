import json

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from export.gate import MAX_RECALL_LOSS, MIN_AGREEMENT, judge

PER_CLASS = 200


def perfect() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    labels = np.repeat(np.arange(len(LABELS)), PER_CLASS)
    return labels, 8 * np.eye(len(LABELS), dtype=np.float32)[labels]


def flip(logits: NDArray[np.float32], label: int, count: int, becomes: int) -> NDArray[np.float32]:
    changed = logits.copy()
    start = label * PER_CLASS
    changed[start : start + count] = 8 * np.eye(len(LABELS), dtype=np.float32)[becomes]
    return changed


def test_the_limits_are_those_of_the_design() -> None:
    assert (MIN_AGREEMENT, MAX_RECALL_LOSS) == (0.99, 0.01)


def test_equal_answers_pass() -> None:
    labels, logits = perfect()
    report = judge(labels, logits, logits + 0.01)
    assert report.passed
    assert report.failures == ()
    assert report.table["agreement"]["value"] == 1
    assert report.table["agreement"]["n"] == len(LABELS) * PER_CLASS
    assert report.table["agreement"]["low"] < 1
    assert report.table["tumor_to_no_tumor_flips"] == 0


@pytest.mark.parametrize("label", range(len(LABELS)))
def test_a_class_that_loses_recall_fails_and_is_named_though_the_mean_is_good(label: int) -> None:
    labels, logits = perfect()
    report = judge(labels, logits, flip(logits, label, 3, (label + 1) % 4))
    assert report.table["agreement"]["value"] > MIN_AGREEMENT
    assert not report.passed
    assert len(report.failures) == 1
    assert report.failures[0].startswith(f"{LABELS[label]} loses 1.50 points of recall")
    assert report.table["per_class"][LABELS[label]]["flips"] == 3
    assert f"FAILED: {LABELS[label]}" in report.text()


def test_half_a_point_of_recall_may_be_lost() -> None:
    labels, logits = perfect()
    assert judge(labels, logits, flip(logits, 0, 1, 1)).passed


def test_too_many_other_answers_fail_though_no_recall_is_lost() -> None:
    labels, logits = perfect()
    wrong = flip(logits, 1, 20, 0)  # wrong in FP32 too: recall is the same,
    other = flip(logits, 1, 20, 3)  # but the answers are not
    report = judge(labels, wrong, other)
    assert report.failures == ("agreement 97.50 % is below 99 %",)
    assert report.table["per_class"]["meningioma"]["recall_loss"] == 0


def test_recall_gained_in_one_class_does_not_pay_for_another() -> None:
    labels, logits = perfect()
    before = flip(logits, 3, 4, 0)
    after = flip(logits, 0, 4, 3)
    report = judge(labels, before, after)
    assert [failure.split()[0] for failure in report.failures] == ["glioma"]


def test_tumours_newly_called_no_tumor_are_counted() -> None:
    labels, logits = perfect()
    healthy = LABELS.index("no_tumor")
    report = judge(labels, logits, flip(flip(logits, 0, 5, healthy), healthy, 7, 0))
    assert report.table["tumor_to_no_tumor_flips"] == 5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_fail_and_the_table_stays_json(value: float) -> None:
    labels, logits = perfect()
    spoilt = logits.copy()
    spoilt[0, 0] = value
    report = judge(labels, logits, spoilt)
    assert "INT8 logits hold NaN or infinity" in report.failures
    json.dumps(report.table, allow_nan=False)
    assert "FAILED" in report.text()


def test_the_table_shows_each_class() -> None:
    labels, logits = perfect()
    text = judge(labels, logits, flip(logits, 3, 1, 2)).text()
    lines = {line.split()[0]: line.split() for line in text.splitlines()}
    assert lines["pituitary"][1:] == ["200", "100.00%", "99.50%", "0.50", "1"]
    assert lines["glioma"][1:] == ["200", "100.00%", "100.00%", "0.00", "0"]
    assert "no_tumor flips where FP32 was right: 1" in text
