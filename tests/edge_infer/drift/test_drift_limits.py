"""Limits of brain-drift: stated, off, or refused."""

from pathlib import Path

import pytest

from edge_infer.drift.limits import DEFAULTS, LIMIT_WORDS, limits_with, verdict_on
from edge_infer.errors import DataRefused


def test_options_come_after_the_file_and_the_file_after_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text('ks = 0.3\npsi = "off"\nalpha = 0.01\n')
    limits = limits_with(["ks=0.25", "share=off"], file)
    assert limits == {"alpha": 0.01, "ks": 0.25, "two_sample": DEFAULTS["two_sample"]}
    assert limits_with((), None) == DEFAULTS
    assert set(LIMIT_WORDS) == set(DEFAULTS)


@pytest.mark.parametrize(
    "option",
    ["ks", "ks=", "ks=x", "ks=-1", "ks=nan", "ks=inf", "kss=0.1", "alpha=off", "alpha=0.9"],
)
def test_other_options_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match=r"limit|expected a number"):
        limits_with([option], None)


@pytest.mark.parametrize(
    "text", ["ks = true", "ks = [1]", "ks = ", "other = 1", 'alpha = "off"', "[ks]\nmost = 1"]
)
def test_other_files_are_refused_with_their_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(DataRefused, match=r"limits\.toml"):
        limits_with((), file)


def test_drift_is_more_than_chance_and_beyond_the_limit() -> None:
    assert verdict_on(0.04, 0.3, 0.05, 0.2) == "drift"
    assert verdict_on(0.04, 0.2, 0.05, 0.2) == "moved"
    assert verdict_on(0.06, 0.9, 0.05, 0.2) == "no sign"


@pytest.mark.parametrize(("name", "most"), [("ks", 1), ("share", 1), ("two_sample", 0.5)])
def test_a_limit_that_nothing_can_reach_is_refused(tmp_path: Path, name: str, most: float) -> None:
    assert limits_with([f"{name}={most}"], None)[name] == most
    with pytest.raises(ValueError, match=f"from 0 to {most:g}"):
        limits_with([f"{name}={most + 0.01}"], None)
    file = tmp_path / "limits.toml"
    file.write_text(f"{name} = 2\n")
    with pytest.raises(DataRefused, match=f"from 0 to {most:g}"):
        limits_with((), file)
