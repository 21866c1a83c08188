"""What an answer costs: milliseconds and memory of both bundles, each in a process of its own, in turn.

One works while the other sleeps, and who begins changes from round to round. Before each turn there is a pause, so that
a pool of threads that still spins comes to rest, and one untimed answer, since the other has filled the caches. The
processes are started anew several times: memory and speed differ from start to start.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from edge_infer.errors import InferenceFailed

__all__ = ["SIDES", "Cost", "measure_cost"]

SIDES = ("old", "new")

_STARTS = 3
_PAUSE_S = 0.05
_TIMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one bundle costs.

    Attributes:
        answer_ms: From file to answer, by round; a round may have no answer.
        inference_ms: The graph alone, by round.
        load_ms: To load and check the bundle, by start.
        peak_mb: Peak memory of the process, by start; empty on systems that do not say.
    """

    answer_ms: list[list[float]] = field(default_factory=list)
    inference_ms: list[list[float]] = field(default_factory=list)
    load_ms: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)


def measure_cost(
    bundles: Mapping[str, Path],
    images: Sequence[Path],
    *,
    rounds: int,
    device: str = "cpu",
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Cost]:
    """Measure both.

    Args:
        bundles: Folders, by ``SIDES``.
        images: Files that both answer; a drawn image stands in where there are none.
        rounds: Turns of each bundle in all, of four timed answers; at least one for each start.
        device: As for ``Classifier.load``.
        threads: Likewise.
        progress: Called with (done, total) rounds.

    Raises:
        InferenceFailed: A process ended, or a bundle does not load in it.
    """
    costs = {side: Cost() for side in SIDES}
    files: list[str | None] = [os.path.abspath(image) for image in images] or [None]  # noqa: PTH100
    each = max(1, rounds // _STARTS)
    for start in range(_STARTS):
        with contextlib.ExitStack() as opened:
            workers = {
                side: opened.enter_context(_Worker(bundles[side], device, threads))
                for side in SIDES
            }
            for side in SIDES:
                costs[side].load_ms.append(workers[side].load_ms)
            peaks: dict[str, float | None] = {}
            for number in range(each):
                place = (start * each + number) * _TIMED
                chosen = [files[(place + turn) % len(files)] for turn in range(_TIMED)]
                for side in _in_turn(start + number):
                    time.sleep(_PAUSE_S)
                    peaks[side] = _turn(workers[side], [chosen[0], *chosen], costs[side])
                progress(start * each + number + 1, _STARTS * each)
            for side, peak in peaks.items():
                if peak is not None:
                    costs[side].peak_mb.append(peak)
    return costs


def _in_turn(number: int) -> Iterator[str]:
    yield from SIDES if number % 2 == 0 else reversed(SIDES)


def _turn(worker: "_Worker", images: list[str | None], cost: Cost) -> float | None:
    """Have images answered, the first one untimed, and return the peak of the process in MB."""
    said = worker.ask({"images": images})
    timed = [times for times in said["times"][1:] if times is not None]
    # Also a round without answers: the other bundle's round of the same number is that of the same moment.
    cost.answer_ms.append([whole for whole, _ in timed])
    cost.inference_ms.append([graph for _, graph in timed])
    peak: float | None = said["peak_mb"]
    return peak


class _Worker:
    """A process with a bundle; ended when the block is left."""

    def __init__(self, bundle: Path, device: str, threads: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge_infer.comparison.cost_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self._first = {
            "bundle": os.path.abspath(bundle),  # noqa: PTH100 -- as it is called
            "device": device,
            "threads": threads,
        }
        self.load_ms = 0.0

    def __enter__(self) -> Self:
        try:
            self.load_ms = float(self.ask(self._first)["load_ms"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def ask(self, what: Mapping[str, Any]) -> dict[str, Any]:
        """Send a line and return the answer.

        Raises:
            InferenceFailed: The process ended, or the bundle does not load in it.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        line = ""
        if stdin is not None and stdout is not None:
            with contextlib.suppress(OSError):
                stdin.write(json.dumps(what) + "\n")
                stdin.flush()
                line = stdout.readline()
        if not line:
            raise InferenceFailed(
                "the process that measures time and memory ended",
                hint="try --rounds 0, and brain-doctor",
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise InferenceFailed(f"the process that measures time and memory: {answer['error']}")
        return answer
