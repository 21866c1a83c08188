"""The report in a real browser, offline, on a wide and on a narrow screen."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import COLLIDING, DECODED, NAMES, OUTSIDE, PAGE, WIDTHS, Tab, browser, installed
from PIL import Image
from report_runs import make_run

from edge_infer.figures import intervals
from train.data.samples import Sample
from train.report import data_facts, read_runs, write_report

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]


@pytest.fixture(scope="module")
def report(phantom_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_RESAMPLES", 20)
        cache = folder / "cache"
        runs = [
            make_run(folder / "a-run", phantom_samples, cache, parts=("test",)),
            make_run(folder / ("a-very-long-name-" * 6), phantom_samples, cache, parts=(), seed=8),
        ]
        data = data_facts("phantoms", phantom_samples, cache)
        command = f"brain-train report {' '.join(run.name for run in runs)} --data phantoms"
        return write_report(
            folder / "out", read_runs(runs), {}, data, command=command, made_on="2026-01-02"
        )


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_is_displayed_in_a_browser(
    tab: Tab, report: Path, width: int, tmp_path: Path
) -> None:
    tab.open(report.as_uri(), width=width)
    tab.value(DECODED)  # rejected, and so an error here, if an image cannot be decoded
    images = tab.value(WIDTHS)
    assert len(images) >= 14
    for natural_width, natural_height, shown_width, shown_height in images:
        assert min(natural_width, shown_width) > 100
        assert shown_height / shown_width == pytest.approx(natural_height / natural_width, rel=0.02)
    page_width, window_width = tab.value(PAGE)
    assert page_width == window_width == width, "nobody has to scroll sideways"
    assert tab.value(OUTSIDE) == []
    assert tab.value(COLLIDING) == []

    asked = {event["request"]["url"] for event in tab.seen("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:image/png;")} == {report.as_uri()}
    assert tab.seen("Log.entryAdded") == []
    assert tab.seen("Runtime.consoleAPICalled") == []
    assert tab.seen("Runtime.exceptionThrown") == []

    tab.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        assert image.width == width
        grey = np.asarray(image.convert("L"))
    assert (grey > 230).mean() > 0.5, "a light page"
    assert (grey < 80).mean() > 0.01, "with something on it"


def test_it_fits_a_printed_sheet(tab: Tab, report: Path) -> None:
    tab.open(report.as_uri(), width=700)  # A4 without its margins
    tab.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.value(PAGE) == [700, 700]
        assert tab.value(OUTSIDE) == []
        assert tab.value(COLLIDING) == []
        stacked = tab.value("getComputedStyle(document.querySelector('.stack td')).display")
        assert stacked == "table-cell", "tables stay tables, though a sheet is narrow"
    finally:
        tab.send("Emulation.setEmulatedMedia", media="")


def test_a_report_that_reached_outside_would_be_seen(
    tab: Tab, report: Path, tmp_path: Path
) -> None:
    """Control: the page's own policy blocks an image from elsewhere, and the browser reports it."""
    text = report.read_text(encoding="utf-8")
    wide = (
        '<p style="width: 2000px">wide</p><img alt="" src="https://example.invalid/a.png"></body>'
    )
    spoiled = tmp_path / "spoiled.html"
    spoiled.write_text(text.replace("</body>", wide), encoding="utf-8")
    tab.open(spoiled.as_uri(), width=390)
    assert tab.value(PAGE)[0] > 390
    assert tab.value(OUTSIDE)
    said = " ".join(entry["entry"]["text"] for entry in tab.seen("Log.entryAdded"))
    assert "Content Security Policy" in said
