"""Limits as they are stated, and what it takes to hold one."""

from pathlib import Path

import numpy as np
import pytest

from edge_infer.comparison.judging import judge
from edge_infer.comparison.limits import DEFAULTS, limits_with, needed_for_none, verdict_on
from edge_infer.errors import DataRefused
from edge_infer.figures.intervals import GroupBootstrap, wilson_interval
from edge_infer.figures.shares import grouped_share


def figure(count: int, n: int) -> dict[str, float | int | None]:
    found = wilson_interval(count, n)
    return {"value": found.value, "n": n, "high": found.high}


def test_none_seen_is_held_only_where_enough_images_were_asked() -> None:
    limit = DEFAULTS["positive_to_negative"]
    needed = needed_for_none(limit)
    assert needed == 189
    assert verdict_on(limit, figure(0, needed)) == "held"
    assert verdict_on(limit, figure(0, needed - 1)) == "too few"
    assert verdict_on(limit, figure(1, 10_000)) == "exceeded"


def test_what_is_seen_may_be_within_the_limit_and_not_be_known_to_be() -> None:
    limit = DEFAULTS["flips"]
    assert verdict_on(limit, figure(5, 100)) == "too few"
    assert verdict_on(limit, figure(50, 1000)) == "held"
    assert verdict_on(limit, figure(51, 1000)) == "exceeded"


def test_nothing_to_judge_is_no_pass_where_the_limit_was_asked_for() -> None:
    assert verdict_on(DEFAULTS["flips"], figure(0, 0)) == "not judged"
    stated = limits_with(["flips=0.05"], None)["flips"]
    assert verdict_on(stated, figure(0, 0)) == "too few"


def test_a_limit_is_stated_by_file_and_by_option_and_the_option_comes_last(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(
        'flips = 0.1\nseries_changed = "off"\n[accuracy_drop]\nmost = 0.01\nmargin = 0.02\n'
    )
    limits = limits_with(["flips=0.2+0.4", "ece_rise=off"], file)
    assert (limits["flips"].most, limits["flips"].margin) == (0.2, 0.4)
    assert (limits["accuracy_drop"].most, limits["accuracy_drop"].margin) == (0.01, 0.02)
    assert set(DEFAULTS) - set(limits) == {"series_changed", "ece_rise"}
    assert limits["accepted_lost"] == DEFAULTS["accepted_lost"]
    kept = limits_with(["flips=0.2"], None)["flips"]
    assert kept.margin == DEFAULTS["flips"].margin


@pytest.mark.parametrize(
    "option", ["flips", "flips=", "flips=x", "flips=nan", "flips=-1", "flop=1"]
)
def test_what_is_no_limit_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=r"limit|expected"):
        limits_with([option], None)


@pytest.mark.parametrize(
    "text",
    ["flips", "flop = 1", 'flips = "much"', "[flips]\nleast = 1", "flips = true", "flips = [1]"],
)
def test_a_file_that_is_no_file_of_limits_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(DataRefused, match=r"limits\.toml"):
        limits_with([], file)


def test_a_bootstrap_over_few_groups_holds_nothing_however_narrow_it_is() -> None:
    limit = DEFAULTS["ece_rise"]
    rise = {"value": 0.0, "n": 200, "high": 0.0}
    assert verdict_on(limit, rise | {"groups": limit.least_groups}) == "held"
    assert verdict_on(limit, rise | {"groups": 1}) == "too few", "one patient has no spread"
    calibration = {"calibration": {"ece": {"rise": {**rise, "low": 0.0, "groups": 1}}}}
    result = {
        "flips": {"all": {}, "accepted": {}, "negative": None},
        "decisions": {"lost": {}, "gained": {}},
        "failures": {"newly_failed": {}},
        "truth": calibration,
        "cost": None,
        "series": None,
    }
    (judged,) = judge({"ece_rise": limit}, result)
    assert judged.why == "the images are of 1 group, and at least 20 are needed"


def test_clustering_does_not_turn_too_few_into_held() -> None:
    # 50 patients with two images, 200 with one; the bootstrap is wider than Wilson's, and ends before 8 %.
    groups = [f"pair {row // 2}" for row in range(100)] + [""] * 200
    flipped = np.isin(np.arange(300), [*range(4), *range(100, 111)])
    bootstrap = GroupBootstrap(300, groups=groups)
    drawn = bootstrap(lambda rows: float(flipped[rows].mean()))
    assert drawn.low is not None
    assert drawn.high is not None
    by_image = wilson_interval(15, 300)
    assert by_image.low is not None
    assert by_image.high is not None
    assert drawn.high - drawn.low > by_image.high - by_image.low
    assert drawn.high < 0.08 < by_image.high
    found = grouped_share(flipped, np.ones(300, dtype=np.bool_), bootstrap)
    assert verdict_on(DEFAULTS["flips"], found) == "too few"
