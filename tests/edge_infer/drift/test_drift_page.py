"""The page of brain-drift: complete, self-contained, and safe whatever names there are."""

from pathlib import Path
from typing import Any

import pytest
from chromium import COLLIDING, OUTSIDE, PAGE, browser, installed
from drifting import baseline_of, brighter, drawn
from report_page import Page

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.drift.comparing import compare
from edge_infer.drift.limits import DEFAULTS
from edge_infer.drift.observing import MEASURES, Observations
from edge_infer.drift.page import page_of
from edge_infer.drift.text import text_of

EVIL = '<script>alert(1)</script>"\x1b[31m\u202e'


def result_of(seen: Observations, **options: Any) -> dict[str, Any]:
    baseline = baseline_of(drawn(600, 0))
    return {
        **compare(baseline, seen, dict(DEFAULTS), **options),
        "reference": {
            "kind": "bundle",
            "source": EVIL,
            "n": 600,
            "groups": 600,
            "model": EVIL,
            "manifest_sha256": "ab" * 32,
        },
        "window": {
            "files": 2,
            "kind": "brain-batch",
            "n": len(seen),
            "answered": 900,
            "of_series": 300,
            "failed": 4,
        },
        "command": "brain-drift results",
        "research_use_only": RESEARCH_USE_ONLY,
    }


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return result_of(brighter(300, 2, by=15), by="label")


def test_the_verdict_stands_first_and_every_measure_is_there(result: dict[str, Any]) -> None:
    page = Page(page_of(result))
    words = " ".join(page.text)
    assert "✗ Results have drifted beyond the limits: mean" in words
    assert words.count(RESEARCH_USE_ONLY) == 2
    rows = [row[0] for row in page.rows if row]
    for name in (*MEASURES, "label", "decision", "reason", "embedding"):
        assert any(row.startswith(name) for row in rows), name
    assert "All images: 300, against 600 of all images" in words
    assert "too few to test" in words
    for name in DEFAULTS:
        assert name in words


def test_the_page_loads_nothing_and_runs_nothing(result: dict[str, Any]) -> None:
    text = page_of(result)
    page = Page(text)
    assert page.all("script") == page.all("img") == page.all("link") == []
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    for attributes in page.all("svg"):
        assert attributes.get("aria-label")


def test_names_from_results_are_shown_as_names() -> None:
    result = result_of(drawn(300, 4, decision="abstain", reasons=(EVIL,), device=EVIL), by="device")
    text = page_of(result)
    assert Page(text).all("script") == []
    for control in ("\x1b", "\u202e"):
        assert control not in text
        assert control not in text_of(result)


def test_no_sign_and_too_few_have_words_of_their_own() -> None:
    assert "No sign of drift" in page_of(result_of(drawn(300, 1)))
    few = result_of(drawn(20, 1))
    assert "Too few images to say" in page_of(few)
    assert text_of(few).startswith("? Too few images to say\n")


def test_the_text_shows_what_moved_and_no_control_characters(result: dict[str, Any]) -> None:
    text = text_of(result)
    assert "✗ drift  mean: KS 0." in text
    assert "\x1b" not in text
    assert text.endswith(f"{RESEARCH_USE_ONLY}\n")
    assert (
        "300 images of 2 inputs, of 900 answered: one of each series; 4 without an answer" in text
    )


def test_of_tests_that_were_not_made_nothing_is_said() -> None:
    few = result_of(drawn(20, 1), by="device")
    for words in (text_of(few), page_of(few)):
        assert "a group needs 200 images" in words
        for absent in ("0 tests", "false alarms", "p is for all tests", "chance looks", "device"):
            assert absent not in words.replace("device-width", "").replace(
                "Not a medical device", ""
            )


def test_what_moved_within_its_limit_has_one_word(result: dict[str, Any]) -> None:
    group = result["groups"][0]
    moved = {
        **result,
        "groups": [{**group, "tests": [{**test, "verdict": "moved"} for test in group["tests"]]}],
    }
    assert "~ moved" in text_of(moved)
    assert "~ moved</span>" in page_of(moved)
    docs = Path(__file__).parents[3] / "docs" / "drift.md"
    assert "**Moved**" in docs.read_text(encoding="utf-8")


@pytest.mark.chromium
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_fits_a_window_and_a_telephone(
    result: dict[str, Any], tmp_path: Path, width: int
) -> None:
    if installed() is None:
        pytest.skip("no Chromium")
    page = tmp_path / "drift.html"
    page.write_text(page_of(result), encoding="utf-8")
    with browser(tmp_path) as tab:
        tab.open(page.as_uri(), width=width)
        scrolled, seen = tab.value(PAGE)
        assert scrolled == seen
        assert tab.value(OUTSIDE) == []
        assert tab.value(COLLIDING) == []
        assert tab.seen("Log.entryAdded") == []
