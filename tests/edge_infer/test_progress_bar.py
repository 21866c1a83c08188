"""A bar where somebody looks at a terminal; in a log a line now and then, and none of short work."""

import io
import sys

import pytest

from edge_infer import console
from edge_infer.console import progress_bar


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def work(clock: Clock, seconds: float, total: int = 200) -> None:
    with progress_bar("Reading") as progress:
        for done in range(1, total + 1):
            clock.now += seconds
            progress(done, total)


def test_a_log_hears_of_long_work_every_half_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, 0.5)
    assert capsys.readouterr().err == (
        "Reading: 60 of 200 (30%)\nReading: 120 of 200 (60%)\nReading: 180 of 200 (90%)\n"
    )


def test_a_log_hears_nothing_of_short_work(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, 0.1)
    assert capsys.readouterr() == ("", "")


def test_work_of_no_steps_is_no_division_by_nought(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar("Reading") as progress:
        clock.now = 60
        progress(0, 0)
    assert capsys.readouterr().err == "Reading: 0 of 0 (0%)\n"


def test_a_terminal_gets_a_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    work(clock, 0.5)
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "Reading" in shown
    assert "100%" in shown
    assert "\r" in shown
    assert "of 200" not in shown
