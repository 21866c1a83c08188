"""The log of a training run: a line an epoch, and in long epochs a line a minute."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from train.loop import epoch_log
from train.loop.epoch_log import EpochLog


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(epoch_log, "time", clock)
    return clock


def steps(log: EpochLog, clock: Clock, *, seconds: float, bar: bool = False) -> None:
    """Walk through the second of four epochs of 400 steps."""
    args = SimpleNamespace(disable_tqdm=not bar)
    state: Any = SimpleNamespace(global_step=400, max_steps=1600)
    log.on_epoch_begin(args, state, None)
    for _ in range(400):
        clock.now += seconds
        state.global_step += 1
        log.note_loss(torch.tensor(state.global_step / 1000 + 1e-4))
        log.on_step_end(args, state, None)


def test_a_long_epoch_says_every_minute_how_far_it_is(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        steps(EpochLog("", 4), clock, seconds=0.5)
    assert [record.getMessage() for record in caplog.records] == [
        "epoch 2 of 4, step 120 of 400: loss 0.461, 2.00 steps/s, about 9 min left",
        "epoch 2 of 4, step 240 of 400: loss 0.581, 2.00 steps/s, about 8 min left",
        "epoch 2 of 4, step 360 of 400: loss 0.701, 2.00 steps/s, about 7 min left",
    ]


def test_a_phase_is_named_and_many_hours_are_hours(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        steps(EpochLog("layer-1", 4), clock, seconds=60)
    assert caplog.records[0].getMessage() == (
        "layer-1, epoch 2 of 4, step 1 of 400: loss 0.401, 0.02 steps/s, about 20.0 h left"
    )
    assert len(caplog.records) == 400


@pytest.mark.parametrize(("seconds", "bar"), [(0.1, False), (10.0, True)])
def test_short_epochs_and_epochs_with_a_bar_say_nothing_in_between(
    clock: Clock, caplog: pytest.LogCaptureFixture, seconds: float, bar: bool
) -> None:
    with caplog.at_level(logging.INFO):
        steps(EpochLog("", 4), clock, seconds=seconds, bar=bar)
    assert not caplog.records
