"""The log of a training run: a line an epoch, a line a minute in long epochs, and how long each took."""

import logging
import math
import time
from typing import Any

from torch import Tensor
from transformers import TrainerCallback

__all__ = ["EpochLog"]

logger = logging.getLogger(__name__)

_QUIET_S = 60.0


class EpochLog(TrainerCallback):  # type: ignore[misc, unused-ignore] # untyped for mypy
    """One line an epoch, and one a minute if no progress bar is shown.

    Args:
        phase: Named in each line; empty if the run has only one.
        epochs: Epochs of the phase.
    """

    def __init__(self, phase: str, epochs: int) -> None:
        self.phase = phase
        self.epochs = epochs
        self.loss = math.nan
        self.started = time.monotonic()
        self.steps_per_second = math.nan
        self.epoch_began = (0, self.started)
        self.logged_at = self.started
        self.step_losses: list[Tensor] = []

    def note_loss(self, loss: Tensor) -> None:
        """Add a step's loss to the mean since the last line."""
        self.step_losses.append(loss.detach())

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Note step and time."""
        self.epoch_began = (state.global_step, time.monotonic())
        self._restart_quiet_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Log a line if nothing was logged for a minute and no progress bar is shown."""
        now = time.monotonic()
        if not args.disable_tqdm or now - self.logged_at < _QUIET_S:
            return
        first, began = self.epoch_began
        steps = round(state.max_steps / self.epochs)
        steps_per_second = (state.global_step - first) / (now - began)
        logger.info(
            "%sepoch %d of %d, step %d of %d: loss %.3f, %.2f steps/s, about %s left",
            f"{self.phase}, " if self.phase else "",
            1 + first // steps,
            self.epochs,
            state.global_step - first,
            steps,
            sum(map(float, self.step_losses)) / max(1, len(self.step_losses)),
            steps_per_second,
            _duration((state.max_steps - state.global_step) / steps_per_second),
        )
        self._restart_quiet_time()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Measure the speed of the steps, without validation."""
        step, began = self.epoch_began
        self.steps_per_second = (state.global_step - step) / (time.monotonic() - began)

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """Remember the loss."""
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        """Log the epoch, and store its seconds and speed in the history, which a resumed run keeps."""
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

    def _restart_quiet_time(self) -> None:
        self.logged_at = time.monotonic()
        self.step_losses.clear()


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
