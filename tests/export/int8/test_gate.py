import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.classes import Classes
from edge_infer.contract import LABELS
from edge_infer.prediction import softmax
from export.int8.gate import (
    MAX_PROBABILITY_DIFFERENCE,
    MAX_RECALL_LOSS,
    MAX_TUMOR_FLIPS,
    MIN_AGREEMENT,
    GateReport,
    judge,
)
from export.int8.margins import MAX_TOO_CLOSE, TOO_CLOSE_LOGITS

PER_CLASS = 400
HEALTHY = LABELS.index("no_tumor")


def perfect(per_class: int = PER_CLASS) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    labels = np.repeat(np.arange(len(LABELS)), per_class)
    return labels, 8 * np.eye(len(LABELS), dtype=np.float32)[labels]


def flip(
    logits: NDArray[np.float32], label: int, count: int, becomes: int, per_class: int = PER_CLASS
) -> NDArray[np.float32]:
    changed = logits.copy()
    start = label * per_class
    changed[start : start + count] = 8 * np.eye(len(LABELS), dtype=np.float32)[becomes]
    return changed


def other(label: int) -> int:
    """Another class, never no_tumor: that is judged by itself."""
    return next(k for k in range(len(LABELS)) if k not in (label, HEALTHY))


def test_the_limits_are_those_of_the_design() -> None:
    assert (MIN_AGREEMENT, MAX_RECALL_LOSS) == (0.995, 0.005)
    page = (Path(__file__).parents[3] / "docs" / "gate.md").read_text(encoding="utf-8")
    assert f"| same answer as FP32 | {100 * MIN_AGREEMENT:g} % or more |" in page
    assert f"| recall lost, class by class | {100 * MAX_RECALL_LOSS:g} points or less |" in page
    assert (MAX_TUMOR_FLIPS, MAX_PROBABILITY_DIFFERENCE) == (0, 0.01)


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
    report = judge(labels, logits, flip(logits, label, 3, other(label)))
    assert report.table["agreement"]["value"] > MIN_AGREEMENT
    assert report.failures == (
        f"{LABELS[label]} loses 0.75 points of recall (3 of n 400), allowed 0.5",
    )
    assert report.table["per_class"][LABELS[label]]["flips"] == 3
    assert f"FAILED: {LABELS[label]}" in report.text()


@pytest.mark.parametrize("per_class", [200, 400, 600, 1000, 1400])
def test_half_a_point_of_recall_may_be_lost_and_not_one_image_more(per_class: int) -> None:
    labels, logits = perfect(per_class)
    half_a_point = per_class // 200
    at_limit = flip(logits, 0, half_a_point, 1, per_class)
    assert judge(labels, logits, at_limit).passed
    above = flip(logits, 0, half_a_point + 1, 1, per_class)
    assert [text.split()[0] for text in judge(labels, logits, above).failures] == ["glioma"]


def test_in_a_class_of_fewer_than_200_no_image_may_be_lost() -> None:
    labels, logits = perfect(199)
    report = judge(labels, logits, flip(logits, 3, 1, 0, 199))
    assert report.failures == ("pituitary loses 0.50 points of recall (1 of n 199), allowed 0.5",)


def test_too_many_other_answers_fail_though_no_recall_is_lost() -> None:
    labels, logits = perfect()
    wrong = flip(logits, 1, 9, 0)  # wrong in FP32 too: recall is the same,
    changed = flip(logits, 1, 9, 3)  # but the answers are not
    report = judge(labels, wrong, changed)
    assert report.failures == ("agreement 99.44 % (n 1600) is below 99.5 %",)
    assert report.table["per_class"]["meningioma"]["recall_loss"] == 0
    assert judge(labels, flip(logits, 1, 8, 0), flip(logits, 1, 8, 3)).passed


def test_recall_gained_in_one_class_does_not_pay_for_another() -> None:
    labels, logits = perfect()
    before = flip(logits, 3, 4, 0)
    after = flip(logits, 0, 3, 3)
    report = judge(labels, before, after)
    assert [failure.split()[0] for failure in report.failures] == ["glioma"]


@pytest.mark.parametrize("label", [k for k in range(len(LABELS)) if k != HEALTHY])
def test_a_single_tumour_newly_called_no_tumor_fails_and_names_the_class(label: int) -> None:
    labels, logits = perfect()
    report = judge(labels, logits, flip(logits, label, 1, HEALTHY))
    assert report.failures == (f"{LABELS[label]}: 1 of n 400 newly called no_tumor, allowed 0",)
    assert report.table["tumor_to_no_tumor_flips"] == 1


def test_a_tumour_that_fp32_missed_too_and_a_healthy_head_are_no_tumour_flips() -> None:
    labels, logits = perfect()
    wrong = flip(flip(logits, 0, 1, 1), HEALTHY, 2, 1)
    report = judge(labels, wrong, flip(logits, 0, 1, HEALTHY))
    assert report.table["tumor_to_no_tumor_flips"] == 0
    assert report.passed


def test_probabilities_that_drift_fail_though_every_answer_is_the_same() -> None:
    labels, logits = perfect()
    report = judge(labels, logits, logits * np.float32(0.3))
    assert report.table["agreement"]["value"] == 1
    # By hand: e^8 / (e^8 + 3) = 0.99899, e^2.4 / (e^2.4 + 3) = 0.78607; the other three share the 0.21292 between.
    assert report.failures == (
        "mean absolute probability difference 0.1065 (n 1600) is above 0.01",
    )


def unsure(
    logits: NDArray[np.float32], label: int, count: int, lead: float, second: int
) -> NDArray[np.float32]:
    """Let the first images of a class lead by this only, before another class."""
    changed = logits.copy()
    rows = slice(label * PER_CLASS, label * PER_CLASS + count)
    changed[rows, second] = changed[rows, label] - np.float32(lead)
    return changed


def test_an_image_that_fp32_cannot_call_is_counted_apart_and_its_flip_is_listed() -> None:
    labels, logits = perfect()
    fp32 = unsure(logits, 0, 2, TOO_CLOSE_LOGITS / 2, HEALTHY)
    int8 = flip(logits, 0, 1, HEALTHY)
    report = judge(labels, fp32, int8)
    assert report.passed
    assert report.table["too_close"] == {
        "count": 2,
        "n": 1600,
        "flips": 1,
        "tumor_to_no_tumor_flips": 1,
        "margin_logits": TOO_CLOSE_LOGITS,
        "max_share": MAX_TOO_CLOSE,
    }
    assert report.table["agreement"]["n"] == 1598
    assert report.table["per_class"]["glioma"]["n"] == 398
    assert report.table["per_class"]["glioma"]["too_close"] == 2
    assert report.table["tumor_to_no_tumor_flips"] == 0
    assert "judged apart: 2 of n 1600" in report.text()
    assert "1 of them tumour -> no_tumor" in report.text()


def test_an_image_that_leads_by_the_tolerance_is_judged_like_any_other() -> None:
    labels, logits = perfect()
    fp32 = unsure(logits, 0, 2, TOO_CLOSE_LOGITS * 1.01, HEALTHY)
    report = judge(labels, fp32, flip(logits, 0, 1, HEALTHY))
    assert report.failures == ("glioma: 1 of n 400 newly called no_tumor, allowed 0",)


def test_int8_alone_being_unsure_excuses_nothing() -> None:
    labels, logits = perfect()
    report = judge(labels, logits, unsure(logits, 0, 1, -TOO_CLOSE_LOGITS / 2, HEALTHY))
    assert report.failures == ("glioma: 1 of n 400 newly called no_tumor, allowed 0",)


@pytest.mark.parametrize(("count", "passes"), [(16, True), (17, False)])
def test_one_in_a_hundred_may_be_too_close_to_call_and_not_one_more(
    count: int, passes: bool
) -> None:
    labels, logits = perfect()
    fp32 = unsure(logits, 1, count, 0.0, 3)
    report = judge(labels, fp32, fp32)
    assert report.passed is passes
    if not passes:
        assert report.failures == (
            "17 of n 1600 images are too close to call (FP32 leads by less than 0.02), allowed 1 %",
        )


def test_a_class_that_fp32_can_never_call_fails_and_the_table_stays_json() -> None:
    labels, logits = perfect(4)
    fp32 = logits.copy()
    fp32[labels == 2] = 0
    report = judge(labels, fp32, fp32)
    assert not report.passed
    assert report.table["per_class"]["no_tumor"]["n"] == 0
    json.dumps(report.table, allow_nan=False)
    assert "FAILED" in report.text()


def test_the_tolerance_is_a_point_of_probability() -> None:
    first, second = softmax(np.array([TOO_CLOSE_LOGITS, 0.0]))
    assert 0.0099 < first - second < 0.0101


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("model", ["FP32", "INT8"])
def test_logits_that_are_not_finite_fail_and_the_table_stays_json(value: float, model: str) -> None:
    labels, logits = perfect()
    spoilt = logits.copy()
    spoilt[0, 0] = value
    pair = (spoilt, logits) if model == "FP32" else (logits, spoilt)
    report = judge(labels, *pair)
    assert f"{model} logits hold NaN or infinity" in report.failures
    json.dumps(report.table, allow_nan=False)
    assert "FAILED" in report.text()


def test_the_table_shows_each_class() -> None:
    labels, logits = perfect()
    text = judge(labels, logits, flip(logits, 3, 1, 2)).text()
    lines = {line.split()[0]: line.split() for line in text.splitlines()}
    assert lines["pituitary"][1:] == ["400", "100.00%", "99.75%", "0.25", "1"]
    assert lines["glioma"][1:] == ["400", "100.00%", "100.00%", "0.00", "0"]
    assert "no_tumor flips where FP32 was right: 1, allowed 0" in text
    assert "required 99.5 %" in text


def test_a_verdict_stays_as_it_was_made_and_is_given_by_name() -> None:
    report = judge(*perfect(4), perfect(4)[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.failures = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        vars(report)  # no place for anything else
    with pytest.raises(TypeError):
        GateReport((), {})  # type: ignore[misc]


def test_a_verdict_in_a_message_tells_what_failed_and_not_every_figure() -> None:
    labels, logits = perfect()
    report = judge(labels, logits, flip(logits, 0, 1, HEALTHY))
    assert repr(report) == (
        "GateReport(failures=('glioma: 1 of n 400 newly called no_tumor, allowed 0',))"
    )


@pytest.mark.parametrize(("count", "fails"), [(2, False), (3, True)])
def test_a_difference_of_a_hundredth_passes_and_of_one_image_more_fails(
    count: int, fails: bool
) -> None:
    labels, logits = perfect(25)
    certain = (
        1000 * logits
    )  # every probability is 0 or 1: an image answered otherwise differs by 2 of 400
    report = judge(labels, certain, 1000 * flip(logits, 0, count, 1, 25))
    assert report.table["mean_abs_probability_difference"] == count / 200
    message = "mean absolute probability difference 0.0150 (n 100) is above 0.01"
    assert (message in report.failures) is fails
    assert any("probability difference" in failure for failure in report.failures) is fails


def test_a_class_of_a_single_image_has_all_of_its_recall_or_none() -> None:
    labels, logits = perfect(1)
    rows = judge(labels, logits, flip(logits, 1, 1, 3, 1)).table["per_class"]
    assert rows["glioma"] == {
        "n": 1,
        "recall_fp32": 1,
        "recall_int8": 1,
        "recall_loss": 0,
        "lost": 0,
        "flips": 0,
        "to_no_tumor": 0,
        "too_close": 0,
    }
    assert rows["meningioma"] == rows["glioma"] | {
        "recall_int8": 0,
        "recall_loss": 1,
        "lost": 1,
        "flips": 1,
    }


def test_where_fp32_can_call_nothing_the_gate_fails_and_says_so() -> None:
    labels, logits = perfect(4)
    report = judge(labels, np.zeros_like(logits), logits)
    few = "16 of n 16 images are too close to call (FP32 leads by less than 0.02), allowed 1 %"
    assert report.failures[:2] == ("agreement 0.00 % (n 0) is below 99.5 %", few)
    assert {row["n"] for row in report.table["per_class"].values()} == {0}
    assert "agreement with FP32: -, n 0, required 99.5 %" in report.text()
    assert f"FAILED: {few}" in report.text()
    json.dumps(report.table, allow_nan=False)


def test_the_whole_table_of_a_model_that_fails() -> None:
    labels, logits = perfect()
    fp32 = unsure(flip(logits, 1, 2, 3), HEALTHY, 3, TOO_CLOSE_LOGITS / 2, 3)
    int8 = flip(flip(logits, 0, 3, 1), 1, 1, HEALTHY)
    assert judge(labels, fp32, flip(int8, 3, 1, HEALTHY)).text() == (
        # Of 1597, the three gliomas, two meningiomas and one pituitary are answered otherwise.
        "agreement with FP32: 99.62 % (99.18..99.83), n 1597, required 99.5 %\n"
        "class           n  recall FP32  recall INT8    loss  flips\n"
        "glioma        400      100.00%       99.25%    0.75      3\n"
        "meningioma    400       99.50%       99.75%   -0.25      2\n"
        "no_tumor      397      100.00%      100.00%    0.00      0\n"
        "pituitary     400      100.00%       99.75%    0.25      1\n"
        "tumour -> no_tumor flips where FP32 was right: 1, allowed 0\n"
        "mean absolute probability difference: 0.0023, allowed 0.01\n"
        "too close to call (FP32 leads by less than 0.02), judged apart: 3 of n 1600, allowed 1 %; "
        "0 answered otherwise, 0 of them tumour -> no_tumor\n"
        "FAILED: glioma loses 0.75 points of recall (3 of n 400), allowed 0.5\n"
        "FAILED: pituitary: 1 of n 400 newly called no_tumor, allowed 0"
    )


def test_a_difference_that_is_unknown_is_shown_as_a_dash() -> None:
    labels, logits = perfect(4)
    spoilt = logits.copy()
    spoilt[0, 0] = np.nan
    assert "mean absolute probability difference: -, allowed 0.01" in (
        judge(labels, logits, spoilt).text()
    )


OWN = ("cat", "a dog of any kind", "empty bowl", "mouse")


def test_classes_of_ones_own_are_judged_under_names_of_their_own() -> None:
    labels, logits = perfect()
    report = judge(labels, logits, flip(logits, 1, 1, 2), Classes(OWN, "empty bowl"))
    assert report.failures == ("a dog of any kind: 1 of n 400 newly called empty bowl, allowed 0",)
    assert report.table["positive_to_negative_flips"] == 1
    assert report.table["max_positive_to_negative_flips"] == 0
    assert {name: row["to_negative"] for name, row in report.table["per_class"].items()} == {
        **dict.fromkeys(OWN, 0),
        OWN[1]: 1,
    }
    assert "tumor" not in json.dumps(report.table)
    lines = report.text().splitlines()
    # The longest name fits, and the columns stay below their heads.
    assert lines[1] == "class                n  recall FP32  recall INT8    loss  flips"
    assert lines[2] == "cat                400      100.00%      100.00%    0.00      0"
    assert lines[3] == "a dog of any kind  400      100.00%       99.75%    0.25      1"
    assert lines[6] == "another class -> empty bowl flips where FP32 was right: 1, allowed 0"


def test_without_a_negative_class_no_flips_are_counted_and_the_other_bars_hold() -> None:
    labels, logits = perfect()
    assert judge(labels, logits, flip(logits, 1, 2, 2), Classes(OWN)).passed
    report = judge(labels, logits, flip(logits, 1, 3, 2), Classes(OWN))
    assert report.failures == (
        "a dog of any kind loses 0.75 points of recall (3 of n 400), allowed 0.5",
    )
    assert set(report.table) == {
        "agreement",
        "per_class",
        "mean_abs_probability_difference",
        "too_close",
        "min_agreement",
        "max_recall_loss",
        "max_mean_abs_probability_difference",
    }
    assert set(report.table["per_class"]["cat"]) == {
        "n",
        "recall_fp32",
        "recall_int8",
        "recall_loss",
        "lost",
        "flips",
        "too_close",
    }
    assert "where FP32 was right" not in report.text()
    assert len(report.text().splitlines()) == 2 + len(OWN) + 2 + 1


def test_the_table_holds_the_bars_it_was_judged_by() -> None:
    labels, logits = perfect(4)
    table = judge(labels, logits, logits).table
    assert {name: value for name, value in table.items() if name.startswith(("min_", "max_"))} == {
        "min_agreement": 0.995,
        "max_recall_loss": 0.005,
        "max_tumor_to_no_tumor_flips": 0,
        "max_mean_abs_probability_difference": 0.01,
    }
