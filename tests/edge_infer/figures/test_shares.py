"""Shares whose interval spans several: over images, a bootstrap over groups, over groups."""

import numpy as np
import pytest

from edge_infer.figures.intervals import GroupBootstrap, wilson_interval
from edge_infer.figures.shares import envelope, grouped_share, share


def test_an_interval_of_two_spans_both_and_is_not_the_one_of_greater_width() -> None:
    by_image = {"value": 0.05, "n": 300, "low": 0.0305, "high": 0.0808, "interval": "wilson"}
    drawn = {"value": 0.05, "n": 300, "low": 0.022, "high": 0.0776, "interval": "group_bootstrap"}
    for found in (envelope(by_image, drawn), envelope(drawn, by_image)):
        assert (found["low"], found["high"]) == (0.022, 0.0808)
        assert (found["value"], found["n"], found["interval"]) == (0.05, 300, "envelope")
    around = {**drawn, "high": 0.09}
    assert envelope(by_image, around) == envelope(around, by_image) == around
    assert envelope(by_image, {**by_image, "interval": "wilson_of_groups"}) == by_image
    unknown = {"value": None, "n": 0, "low": None, "high": None, "interval": "group_bootstrap"}
    assert envelope(by_image, unknown) == by_image


def test_a_share_reaches_as_far_as_the_interval_over_images_and_as_that_over_groups() -> None:
    # 50 patients with two images, 200 with one; images of a patient are alike.
    groups = [f"pair {row // 2}" for row in range(100)] + [""] * 200
    counted = np.isin(np.arange(300), [*range(4), *range(100, 111)])
    everywhere = np.ones(300, dtype=np.bool_)
    bootstrap = GroupBootstrap(300, groups=groups)
    drawn = bootstrap(lambda rows: float(counted[rows].mean()))
    by_image = wilson_interval(15, 300)
    assert drawn.low is not None
    assert by_image.high is not None
    found = share(counted, everywhere, bootstrap)
    assert found["low"] <= drawn.low
    assert found["high"] >= by_image.high
    by_group = wilson_interval(12.5, 250)
    grouped = grouped_share(counted, everywhere, bootstrap)
    assert (grouped["count"], grouped["n"], grouped["groups"]) == (15, 300, 250)
    assert grouped["high"] == pytest.approx(by_group.high)


def test_none_in_many_images_of_one_patient_is_none_in_one() -> None:
    none, everywhere = np.zeros(200, dtype=np.bool_), np.ones(200, dtype=np.bool_)
    of_one = grouped_share(none, everywhere, GroupBootstrap(200, groups=["one"] * 200))
    assert (of_one["high"], of_one["groups"]) == (wilson_interval(0, 1).high, 1)
    of_many = grouped_share(none, everywhere, GroupBootstrap(200))
    assert (of_many["high"], of_many["groups"]) == (wilson_interval(0, 200).high, 200)
    assert (of_many["interval"], of_many["count"]) == ("wilson", 0)
    nobody = grouped_share(none, none, GroupBootstrap(200))
    assert (nobody["value"], nobody["n"], nobody["groups"]) == (None, 0, 0)


def test_a_case_in_one_of_ten_groups_is_not_rounded_to_none() -> None:
    counted, everywhere = np.arange(30) == 0, np.ones(30, dtype=np.bool_)
    groups = [str(row // 3) for row in range(30)]
    found = grouped_share(counted, everywhere, GroupBootstrap(30, groups=groups))
    assert found["high"] == pytest.approx(wilson_interval(1 / 3, 10).high)
    none = wilson_interval(0, 10).high
    assert none is not None
    assert found["high"] > none


def test_an_image_without_a_group_is_its_own() -> None:
    assert GroupBootstrap(5, groups=["", "a", "a", "", "image 0"]).groups.tolist() == [
        0,
        1,
        1,
        2,
        3,
    ]
    assert GroupBootstrap(3).groups.tolist() == [0, 1, 2]
