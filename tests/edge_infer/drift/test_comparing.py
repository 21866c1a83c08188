"""A window against a baseline: what has drifted is said, what has not is not, and few images are too few."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drifting import baseline_of, brighter, drawn, drawn_answers

from edge_infer.baseline.parts import Baseline
from edge_infer.contract import LABELS
from edge_infer.drift.comparing import compare
from edge_infer.drift.gathering import observe
from edge_infer.drift.limits import DEFAULTS
from edge_infer.drift.observing import Observations
from edge_infer.drift.testing import LEAST_WINDOW
from edge_infer.drift.words import group_title

LIMITS = dict(DEFAULTS)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return baseline_of(drawn(600, 0), by=("label", "plane"))


def drifted(result: dict[str, Any]) -> set[str]:
    return {one["measure"] for one in result["drifted"]}


def test_a_window_like_the_baseline_shows_no_sign(baseline: Baseline) -> None:
    result = compare(baseline, drawn(300, 1), LIMITS)
    assert result["verdict"] == "no sign"
    assert result["drifted"] == []
    assert result["tests"] == 14 * 2 + 3 + 1
    (group,) = result["groups"]
    assert (group["n"], group["reference_n"], group["state"]) == (300, 600, "tested")
    for test in group["tests"]:
        assert test["low"] <= test["value"] <= test["high"]
        assert test["p"] <= test["p_adjusted"] <= 1
    assert result["not_tested"] == []


def test_of_twenty_windows_without_drift_few_alarm(baseline: Baseline) -> None:
    """Holm's promise is 5 % over all tests; of 20 windows, more than 4 would be one chance in four hundred."""
    alarms = 0
    for seed in range(100, 120):
        result = compare(baseline, drawn(250, seed), LIMITS, intervals=False)
        alarms += any(test["verdict"] != "no sign" for test in result["groups"][0]["tests"])
    assert alarms <= 4


def test_what_has_moved_is_named_and_nothing_else(baseline: Baseline) -> None:
    result = compare(baseline, brighter(300, 2, by=15), LIMITS)
    assert result["verdict"] == "drift"
    assert drifted(result) == {"mean"}
    test = next(one for one in result["groups"][0]["tests"] if one["measure"] == "mean")
    assert test["quantiles"]["window"][2] > test["quantiles"]["reference"][2] + 10
    assert test["low"] > LIMITS["ks"]


def test_more_than_chance_within_the_limit_is_no_drift() -> None:
    """Many images show a small shift surely; surely is not much."""
    large = baseline_of(drawn(2000, 5))
    result = compare(large, brighter(2000, 6, by=3), {**LIMITS, "two_sample": 0.2})
    assert result["verdict"] == "no sign"
    verdicts = {test["measure"]: test["verdict"] for test in result["groups"][0]["tests"]}
    assert verdicts["mean"] == "moved"
    strict = compare(large, brighter(2000, 6, by=3), {**LIMITS, "ks": 0.02})
    assert drifted(strict) == {"mean"}


def test_embeddings_that_moved_are_told_apart_though_nothing_else_shows_it(
    baseline: Baseline,
) -> None:
    answers = list(drawn_answers(300, 3))
    moved = [
        type(answer)(
            **{name: getattr(answer, name) for name in type(answer).__slots__}
            | {"embedding": answer.embedding[::-1]}  # type: ignore[index]
        )
        for answer in answers
    ]
    assert drifted(compare(baseline, observe(moved), LIMITS)) == {"embedding"}


def test_other_classes_and_decisions_are_seen(baseline: Baseline) -> None:
    result = compare(baseline, drawn(300, 4, label="glioma"), LIMITS)
    assert drifted(result) == {"label"}
    result = compare(baseline, drawn(300, 4, decision="abstain", reasons=("out_of_scope",)), LIMITS)
    assert drifted(result) == {"decision", "reason"}


@pytest.mark.parametrize("n", [0, 1, LEAST_WINDOW - 1])
def test_fewer_than_200_images_are_too_few(baseline: Baseline, n: int) -> None:
    result = compare(baseline, drawn(n, 5), LIMITS)
    assert result["verdict"] == "too few"
    assert result["tests"] == 0
    assert result["groups"][0]["state"] == "too few"
    assert compare(baseline, drawn(LEAST_WINDOW, 5), LIMITS)["verdict"] == "no sign"


def test_groups_are_compared_with_their_own_and_small_ones_are_listed() -> None:
    baseline = baseline_of(drawn(1500, 0))
    answers = [
        *drawn_answers(400, 1, label="glioma"),
        *drawn_answers(50, 2, label="pituitary"),
    ]
    result = compare(baseline, observe(answers), LIMITS, by="label")
    groups = {group["name"]: group for group in result["groups"]}
    assert set(groups) == {None, "glioma", "pituitary"}
    assert groups["glioma"]["against"] == "label glioma"
    assert groups["pituitary"]["state"] == "too few"
    assert not any(test["measure"] == "label" for test in groups["glioma"]["tests"])
    assert any(test["test"] == "two_sample" for test in groups["glioma"]["tests"])
    assert result["tests"] == sum(len(group["tests"]) for group in result["groups"])


def test_one_plane_that_drifts_is_found_among_the_others(baseline: Baseline) -> None:
    bright = [
        type(answer)(
            **{name: getattr(answer, name) for name in type(answer).__slots__}
            | {"facts": [answer.facts[0] + 25 * (answer.plane == "axial"), *answer.facts[1:]]}  # type: ignore[index]
        )
        for answer in drawn_answers(500, 7)
    ]
    result = compare(baseline, observe(bright), LIMITS, by="plane")
    named = {one["name"] for one in result["drifted"]}
    assert "axial" in named
    assert "coronal" not in named
    assert {group["against"] for group in result["groups"]} == {
        "all images",
        "plane axial",
        "plane coronal",
    }


@pytest.mark.parametrize("by", ["plane", "device"])
def test_planes_and_devices_without_a_reference_of_their_own_are_not_tested_and_named(
    by: str,
) -> None:
    """A plane differs from all planes together however little has changed."""
    plain = baseline_of(drawn(600, 0))
    result = compare(plain, drawn(300, 8, **{by: "one"}), LIMITS, by=by)
    assert result["verdict"] == "no sign"
    group = result["groups"][1]
    assert (group["state"], group["tests"], group["against"]) == ("no reference", [], "")
    assert any(line.startswith(f"each {by} by itself") for line in result["not_tested"])


def test_images_whose_device_is_unknown_are_counted(baseline: Baseline) -> None:
    unknown = compare(baseline, drawn(300, 8), LIMITS, by="device")
    assert (len(unknown["groups"]), unknown["of_unknown_group"]) == (1, 300)


def test_a_class_that_the_baseline_has_too_few_of_is_said_so() -> None:
    few = baseline_of(drawn(300, 0, label="glioma"))
    result = compare(few, drawn(300, 1, label="pituitary"), LIMITS, by="label")
    assert result["groups"][1]["state"] == "no reference"
    assert result["groups"][1]["tests"] == []


def test_what_results_do_not_hold_is_named(baseline: Baseline) -> None:
    result = compare(baseline, drawn(300, 9, facts=None, embedding=None), LIMITS)
    assert result["verdict"] == "no sign"
    facts, embeddings = result["not_tested"]
    assert facts.startswith("mean, sd, median")
    assert "--embeddings" in embeddings
    without = baseline_of(drawn(300, 0), with_points=False)
    assert "the baseline holds none" in compare(without, drawn(300, 9), LIMITS)["not_tested"][0]


def test_measures_that_the_baseline_lacks_are_named() -> None:
    plain = baseline_of(drawn(300, 0, facts=None))
    (absent,) = compare(plain, drawn(300, 9), LIMITS)["not_tested"]
    assert absent.startswith("mean, sd, median")
    assert absent.endswith("the baseline does not hold them")


def test_embeddings_in_another_projection_are_named(baseline: Baseline) -> None:
    assert baseline.points is not None
    other = replace(baseline, points=replace(baseline.points, projection="other"))
    (line,) = compare(other, drawn(300, 9), LIMITS)["not_tested"]
    assert "the baseline's projection is other" in line


def test_many_images_without_anything_to_test_are_not_too_few(baseline: Baseline) -> None:
    limits = {"alpha": 0.05, "two_sample": 0.1}
    result = compare(baseline, drawn(300, 1, embedding=None), limits)
    assert (result["verdict"], result["tests"]) == ("nothing to test", 0)
    assert result["groups"][0]["state"] == "nothing to test"
    assert "embeddings: fewer than 200" in result["not_tested"][0]
    assert compare(baseline, drawn(150, 1, embedding=None), limits)["verdict"] == "too few"


def test_a_limit_that_is_off_leaves_its_tests_out(baseline: Baseline) -> None:
    limits = {"alpha": 0.05, "ks": 0.15}
    result = compare(baseline, brighter(300, 2, by=15), limits)
    assert {test["test"] for test in result["groups"][0]["tests"]} == {"ks"}
    assert result["tests"] == 14


def test_images_of_no_known_series_are_warned_of(baseline: Baseline) -> None:
    alone = compare(baseline, drawn(300, 1), LIMITS)["warnings"]
    assert any("of 300 images the series is not known" in line for line in alone)
    known = observe(
        type(answer)(
            **{name: getattr(answer, name) for name in type(answer).__slots__}
            | {"series": f"1.{number}"}
        )
        for number, answer in enumerate(drawn_answers(300, 1))
    )
    (line,) = compare(baseline, known, LIMITS)["warnings"]
    assert line.startswith("several series of one patient count separately")
    patients = baseline_of(drawn(300, 0), groups=[f"p{number // 3}" for number in range(300)])
    lines = compare(patients, known, LIMITS)["warnings"]
    assert any("300 images are of 100 patients" in line for line in lines)


def test_the_same_results_give_the_same_answer(baseline: Baseline) -> None:
    assert compare(baseline, drawn(300, 1), LIMITS) == compare(baseline, drawn(300, 1), LIMITS)
    assert baseline.labels == LABELS


def test_among_millions_the_steps_of_the_quantiles_are_no_sign() -> None:
    """The window is what the baseline was made of; without the resolution, both tests would see the steps."""
    seen, times = drawn(600, 0), 3334
    n = len(seen) * times
    baseline = baseline_of(seen)
    (first, *_) = baseline.parts
    part = replace(
        first, n=n, quantiles={"mean": first.quantiles["mean"]}, effective_n={"mean": float(n)}
    )
    window = replace(seen, values=np.tile(seen.values, (times, 1)), labels=seen.labels * times)
    limits = {"alpha": 0.05, "ks": 0.15, "psi": 0.2}
    found = compare(
        replace(baseline, n=n, groups=n, parts=(part,)), window, limits, intervals=False
    )
    tests = found["groups"][0]["tests"]
    assert [test["test"] for test in tests] == ["ks", "psi"]
    assert [test["verdict"] for test in tests] == ["no sign", "no sign"]
    assert [test["value"] for test in tests] == pytest.approx([0, 0], abs=1e-12)


def test_of_too_many_groups_the_largest_are_judged(
    baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of their names, small ones would take the places of those that can be tested."""
    monkeypatch.setattr("edge_infer.drift.comparing._MOST_GROUPS", 1)
    answers = [*drawn_answers(5, 1, plane="a few"), *drawn_answers(250, 2, plane="axial")]
    result = compare(baseline, observe(answers), LIMITS, by="plane")
    assert [group["name"] for group in result["groups"]] == [None, "axial"]
    assert result["groups_left_out"] == 1


def test_groups_whose_embeddings_are_not_tested_are_named(baseline: Baseline) -> None:
    result = compare(baseline, drawn(500, 3), LIMITS, by="plane")
    (line,) = result["not_tested"]
    assert line.startswith("embeddings of plane axial, coronal alone")


def test_what_a_baseline_lacks_of_shares_and_points_is_named(baseline: Baseline) -> None:
    first, *others = baseline.parts
    assert baseline.points is not None
    bare = replace(
        baseline,
        parts=(replace(first, shares={}), *others),
        points=replace(baseline.points, values=baseline.points.values[:40]),
    )
    shares, points = compare(bare, drawn(300, 1), LIMITS)["not_tested"]
    assert shares.startswith("shares of label, decision, reason")
    assert points == "embeddings: the baseline holds those of fewer than 50 images"
    off = compare(baseline, drawn(300, 1), {"alpha": 0.05})
    assert (off["verdict"], off["not_tested"]) == ("nothing to test", ["every test is off"])


def test_older_images_of_no_known_series_are_warned_of(baseline: Baseline) -> None:
    def known(seed: int) -> Observations:
        return observe(
            type(answer)(
                **{name: getattr(answer, name) for name in type(answer).__slots__}
                | {"series": f"1.{answer.key}"}
            )
            for answer in drawn_answers(300, seed)
        )

    new, old, alone = known(1), known(2), drawn(300, 3)
    lines = compare(baseline, new, LIMITS, former=alone)["warnings"]
    assert any("of 300 of the 300 older images the series is not known" in one for one in lines)
    assert any("drawn of the new results only" in one for one in lines)
    (line,) = compare(baseline, new, LIMITS, former=old)["warnings"]
    assert line.startswith("several series of one patient")
    lines = compare(baseline, alone, LIMITS, former=old)["warnings"]
    assert any("drawn of the older results only" in one for one in lines)
    assert not any("of the 300 older images" in one for one in lines)


def test_older_results_with_too_few_of_each_group_are_said_to_have_them() -> None:
    """They hold the classes; that they hold none would send whoever reads it the wrong way."""
    old = drawn(300, 0, device="one scanner")
    old = replace(old, planes=tuple("axial" if row < 79 else "" for row in range(300)))
    window, limits = drawn(250, 1), {"alpha": 0.05, "share": 0.1}

    def lines(by: str) -> list[str]:
        former = baseline_of(old, by=(by,))
        return list(compare(former, window, limits, by=by, former=old)["not_tested"])

    most = max(old.labels.count(label) for label in LABELS)
    assert most < 100
    assert lines("label") == [
        f"each label by itself: the older results have at most {most} images of one label, and 100 are needed"
    ]
    assert lines("plane") == [
        "each plane by itself: the older results have at most 79 images of one plane, and 100 are needed"
    ]
    assert lines("device") == []
    nowhere = replace(old, devices=("",) * 300)
    found = compare(baseline_of(nowhere), window, limits, by="device", former=nowhere)
    assert found["not_tested"] == [
        "each device by itself: the older results do not say of any image which device it is of"
    ]


def test_a_baseline_with_too_few_of_each_class_is_said_to_have_them() -> None:
    few = drawn(300, 0)
    most = max(few.labels.count(label) for label in LABELS)
    found = compare(baseline_of(few), drawn(250, 1), {"alpha": 0.05, "share": 0.1}, by="label")
    assert found["not_tested"] == [
        f"each label by itself: the baseline has at most {most} images of one label, and 100 are needed"
    ]


def test_a_group_names_what_it_lacks_the_window_first() -> None:
    old = observe([*drawn_answers(64, 0, plane="few"), *drawn_answers(150, 1, plane="axial")])
    new = observe(
        [
            *drawn_answers(20, 2, plane="axial"),
            *drawn_answers(20, 3, plane="few"),
            *drawn_answers(20, 4, plane="new"),
            *drawn_answers(200, 5, plane="other"),
        ]
    )
    limits = {"alpha": 0.05, "share": 0.1}
    kept = baseline_of(old, by=("plane",))
    found = compare(kept, new, limits, by="plane", former=old)
    assert [group_title(group) for group in found["groups"][1:]] == [
        "plane axial: 20; too few to test, of 200 needed",
        "plane few: 20; too few to test, of 200 needed; 64 to compare with, of 100 needed",
        "plane new: 20; too few to test, of 200 needed; none to compare with",
        "plane other: 200; none to compare with",
    ]
    titles = [group_title(one) for one in compare(kept, new, limits, by="plane")["groups"]]
    assert titles[4] == "plane other: 200; none to compare with, or fewer than 100"
