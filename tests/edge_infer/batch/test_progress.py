"""What a user sees meanwhile: rate and time left, in a terminal and in a log."""

import io

import pytest

from edge_infer.batch import progress_cli
from edge_infer.batch.progress_cli import listing_progress, progress, time_left


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(progress_cli.time, "monotonic", lambda: self.now)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (5400, "90 min"),
        (7200, "2 h"),
        (864_000, "10 days"),
    ],
)
def test_a_time_is_said_in_its_unit(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_a_log_gets_a_line_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress("Units") as show:
        for second in range(0, 65, 5):
            clock.now = 1000.0 + second
            show(10 * second, 6000)
    assert capsys.readouterr().err.splitlines() == [
        "Units: 300 of 6000 (5%) 10/s, 10 min left",
        "Units: 600 of 6000 (10%) 10/s, 9 min left",
    ]


def test_the_rate_forgets_what_is_long_ago(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with progress("Units") as show:
        for minute, done in enumerate([0, 6000, 6060, 6120, 6180]):
            clock.now = 1000.0 + 60 * minute
            show(done, 10_000)
    assert capsys.readouterr().err.splitlines()[-1].endswith("1/s, 64 min left")


def test_a_terminal_gets_a_bar_only_when_there_is_something_to_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, terminal = Clock(monkeypatch), Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("Units") as show:
        show(0, 100)
        assert not terminal.getvalue()
        show(1, 100)
        clock.now += 10
        show(51, 100)
    assert "5/s, 10 s left" in terminal.getvalue()


def test_a_long_listing_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    listed = listing_progress()
    for count in range(1, 5001):
        clock.now += 0.01
        listed(count)
    assert capsys.readouterr().err.splitlines() == ["listed: 4000"]
