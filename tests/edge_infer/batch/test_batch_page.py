"""The page of brain-batch: what it says, and in a browser: whole, loading nothing, keeping nobody out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_rows import STARTED, batch_row, failed_row, mixed_rows, planned, written
from chromium import COLLIDING, NAMES, OUTSIDE, PAGE, Tab, browser, installed
from report_page import Page

from edge_infer.batch.chart import span, throughput_chart
from edge_infer.batch.row import Row
from edge_infer.batch.summary import summarize

LOCALIZER = failed_row(1, "scan_refused", kind="refused")
AXE = Path(__file__).parents[1] / "page/node_modules/axe-core/axe.min.js"
VIOLATIONS = """axe.run(document, { resultTypes: ["violations"] }).then(result =>
    result.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 120))]))"""

in_a_browser = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run")
    planned(output, units=1200, partitions=6)
    for number in range(6):
        started = STARTED + 5 * number + 100_000 * (number > 3)
        worker = f"{'a-very-long-host-name-' * 4}{number % 2}"
        written(output, number, mixed_rows(200 * number, 200), started=started, worker=worker)
    summarize(output)
    return output


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def page_of_output(output: Path) -> Page:
    return Page((output / "report.html").read_text(encoding="utf-8"))


def test_the_page_says_what_became_of_the_run(output: Path) -> None:
    page, summary = page_of_output(output), summarize(output)
    assert "Research use only. Not a medical device." in page.words
    assert f"✓ Finished; {summary.failed} failed" in page.words
    assert f"{summary.accepted:,} accepted, {summary.abstained:,} not accepted" in page.words
    rows = {row[0]: row for row in page.rows if row}
    glioma = summary.counts["labels"]["glioma"]
    assert rows["glioma"][1] == f"{sum(glioma.values()):,}"
    assert rows["glioma"][3] == f"{glioma['abstain']:,}"
    assert rows["corrupt"][1] == str(summary.counts["failures"]["corrupt"]["count"])
    assert rows["corrupt"][2] == "The file is damaged or is no image."
    assert "archive/" in rows["corrupt"][3]
    assert rows["axial"][1] == f"{sum(summary.counts['planes']['axial'].values()):,}"
    assert summary.metadata.manifest_sha256 in page.words
    assert "Dashed: 1 pause cut out, the longest 1 d 3 h" in page.words
    assert "a pause from 60 s on, and from 1 s on where a partition was interrupted" in page.words


def test_the_page_of_a_run_that_has_not_ended_says_so_first(tmp_path: Path) -> None:
    planned(tmp_path, units=4000, partitions=4)
    written(tmp_path, 0, mixed_rows(0, 50))
    summarize(tmp_path)
    assert "? Not finished: 1 of 4 partitions" in page_of_output(tmp_path).words


def test_a_run_of_failures_alone_has_a_page(tmp_path: Path) -> None:
    written(tmp_path, 0, [failed_row(0)])
    summarize(tmp_path)
    assert "No image and no slice has an answer." in page_of_output(tmp_path).words


@pytest.mark.parametrize(
    ("rows", "lead"),
    [
        ([failed_row(0)], "✗ Finished; nothing has an answer: 1 failed"),
        ([LOCALIZER], "✗ Finished; nothing has an answer: 1 file refused"),
        (
            [failed_row(0), LOCALIZER],
            "✗ Finished; nothing has an answer: 1 failed, 1 file refused",
        ),
        ([batch_row(0), LOCALIZER], "✓ Finished; 1 file refused"),
        ([batch_row(0), failed_row(2), LOCALIZER], "✓ Finished; 1 failed, 1 file refused"),
        ([batch_row(0)], "✓ Finished; everything has an answer"),
    ],
)
def test_the_page_says_that_all_is_answered_only_where_it_is(
    tmp_path: Path, rows: list[Row], lead: str
) -> None:
    written(tmp_path, 0, rows)
    summary = summarize(tmp_path)
    page = page_of_output(tmp_path)
    assert lead in page.words
    assert ("everything has an answer" in page.words.lower()) == lead.endswith("an answer")
    assert not (summary.has_failures and lead.startswith("✓") and not summary.answered)


def test_of_many_devices_the_most_frequent_are_listed_and_shares_are_of_all(tmp_path: Path) -> None:
    rows = [batch_row(unit, device=f"device {unit}") for unit in range(59)]
    written(tmp_path, 0, [*rows, batch_row(59, device="device 58")])
    summarize(tmp_path)
    page = page_of_output(tmp_path)
    assert "And 9 devices more, in summary.json." in page.words
    (row,) = [row for row in page.rows if row[0] == "device 58"]
    assert row[1] == "2"
    assert row[4] == "3.3 %"


def test_names_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[31m'\"&"
    rows = [
        failed_row(0, source=hostile, member=hostile),
        batch_row(1, device=hostile, plane=hostile, reasons=[hostile]),
        batch_row(2, kind="series", finding=hostile, reasons=[hostile]),
    ]
    written(tmp_path, 0, rows, worker=hostile)
    planned(tmp_path, units=3, partitions=1, left_out=(hostile,), model=hostile)
    summarize(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert page_of_output(tmp_path).all("script") == []


def test_the_page_loads_nothing(output: Path) -> None:
    page = page_of_output(output)
    assert [one for one in page.all("meta") if "default-src 'none'" in str(one.get("content"))]
    assert not any(page.all(tag) for tag in ("script", "link", "img", "iframe", "object", "a"))
    assert "url(" not in (output / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (0.26, "0.3 s"), (59.4, "59 s"), (60, "1 min"), (3599, "59 min 59 s"),
        (3600, "1 h"), (3605, "1 h"), (86_400 * 3 + 7200, "3 d 2 h"), (59.9, "60 s"), (86_400 + 7200 + 60, "1 d 2 h"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_said_in_two_units_at_most(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("worked", "times"),
    [
        (18, "0 s, 4.5 s, 9.0 s, 13.5 s, 18.0 s"),
        (20, "0 s, 5 s, 10 s, 15 s, 20 s"),
        (0.05, "0 s, 0.013 s, 0.025 s, 0.038 s, 0.050 s"),
        (240, "0 s, 1 min, 2 min, 3 min, 4 min"),
    ],
)
def test_times_below_the_chart_have_one_number_of_digits(worked: float, times: str) -> None:
    drawn = throughput_chart(
        {"rates": [1.0], "worked_seconds": worked, "units_per_second": 1.0, "pauses": []}
    )
    across = drawn.partition('class="across">')[2]
    assert ", ".join(re.findall("<span>(.*?)</span>", across)) == times


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        pytest.param("light", 1280, marks=in_a_browser),
        pytest.param("dark", 390, marks=in_a_browser),
    ],
)
def test_the_page_is_shown_whole_and_keeps_nobody_out(
    tab: Tab, output: Path, scheme: str, width: int
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.send("Emulation.setEmulatedMedia", media="", features=features)
    tab.open((output / "report.html").as_uri(), width=width)
    across, window = tab.value(PAGE)
    assert across == window
    assert tab.value(OUTSIDE) == []
    assert tab.value(COLLIDING) == []
    assert tab.seen("Log.entryAdded") == []
    assert tab.seen("Runtime.exceptionThrown") == []
    requested = {event["request"]["url"][:5] for event in tab.seen("Network.requestWillBeSent")}
    assert requested <= {"file:"}
    if AXE.exists():
        tab.value(f"{AXE.read_text()};null")
        assert tab.value(VIOLATIONS) == []
