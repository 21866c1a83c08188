"""What a training run says of itself: a line an epoch, and how long each took."""

import logging
import math
import time
from typing import Any

from transformers import TrainerCallback

__all__ = ["EpochLog"]

logger = logging.getLogger(__name__)


class EpochLog(TrainerCallback):  # type: ignore[misc, unused-ignore] # untyped for mypy
    """One line an epoch, for logs that nobody watches.

    Args:
        phase: Named in each line; empty where a run has only one.
        epochs: Of the phase.
    """

    def __init__(self, phase: str, epochs: int) -> None:
        self.phase = phase
        self.epochs = epochs
        self.loss = math.nan
        self.started = time.monotonic()
        self.steps_per_second = math.nan
        self.epoch_began = (0, self.started)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Note step and time."""
        self.epoch_began = (state.global_step, time.monotonic())

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Measure the steps alone, without validation."""
        step, began = self.epoch_began
        self.steps_per_second = (state.global_step - step) / (time.monotonic() - began)

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """Remember the loss."""
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        """Say how far the run is, and note the epoch's seconds and speed where a resumed run finds them."""
        seconds = time.monotonic() - self.started
        state.log_history[-1]["seconds"] = round(seconds, 2)
        state.log_history[-1]["steps_per_second"] = round(self.steps_per_second, 3)
        metrics = given["metrics"]
        if "eval_accuracy" in metrics:
            validation = f"val accuracy {100 * metrics['eval_accuracy']:.2f} %"
        else:
            validation = f"val loss {metrics['eval_loss']:.4f}"
        logger.info(
            "%sepoch %d of %d: loss %.3f, %s, %.0f s, %.2f steps/s",
            f"{self.phase}, " if self.phase else "",
            round(state.epoch),
            self.epochs,
            self.loss,
            validation,
            seconds,
            self.steps_per_second,
        )
        self.started = time.monotonic()
