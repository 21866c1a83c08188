"""Runs a campaign: chunks of trials in processes of their own, each written down as soon as it is done."""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired, ProcessPool
from reliability.campaign import Campaign
from reliability.records import Record
from reliability.worker import run_trials

__all__ = ["Limits", "run_subject"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of this machine a campaign may take.

    Attributes:
        processes: At most so many at a time, and never more than the campaign allows.
        minutes: No new chunk is begun after this time; None sets no limit.
    """

    processes: int = 2
    minutes: float | None = None


def run_subject(
    chosen: Campaign,
    subject: str,
    *,
    until: int,
    record: Record,
    limits: Limits,
    done: Callable[[int, int], None],
) -> None:
    """Run the trials that are missing up to number ``until``; Ctrl-C or a kill loses the running chunks alone.

    Args:
        chosen: The campaign.
        subject: Who is attacked.
        until: Trials 0 to ``until - 1`` are wanted.
        record: Where finished chunks are written, and which says what is done.
        limits: Processes and time.
        done: Called after each chunk with its trials and failures, to draw progress.
    """
    # Not forked from this process, whose threads would not come along; and a server forks faster than a new start.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["reliability.worker"])
    processes = min(limits.processes, chosen.processes)
    end = None if limits.minutes is None else time.monotonic() + 60 * limits.minutes
    with ProcessPool(
        max_workers=processes, context=context, initializer=_leave_interrupts_to_parent
    ) as pool:
        chunks = deque(record.missing(until, chosen.chunk))
        running: dict[Future[Any], list[int]] = {}
        while chunks or running:
            if end is not None and time.monotonic() > end:
                chunks.clear()
            while chunks and len(running) < 2 * processes:
                numbers = chunks.popleft()
                future = pool.schedule(
                    run_trials,
                    args=[chosen.id, subject, numbers],
                    # Trials that are too slow are counted as such; this is for one that hangs.
                    timeout=chosen.prepare_s + chosen.limit_s * min(len(numbers), 3) + len(numbers),
                )
                running[future] = numbers
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                numbers = running.pop(future)
                for part, result in _results(pool, chosen, subject, numbers, future):
                    record.add(part, result)
                    done(len(part), len(result["failures"]))


def _results(
    pool: ProcessPool, chosen: Campaign, subject: str, numbers: list[int], future: Future[Any]
) -> Iterator[tuple[list[int], dict[str, Any]]]:
    try:
        yield numbers, future.result()
    except (ProcessExpired, TimeoutError) as error:
        if len(numbers) == 1:
            yield numbers, _lost(numbers[0], error)
            return
        for number in numbers:  # one by one, to find the trial that killed the process
            single = pool.schedule(
                run_trials,
                args=[chosen.id, subject, [number]],
                timeout=chosen.prepare_s + chosen.limit_s,
            )
            yield from _results(pool, chosen, subject, [number], single)


def _lost(number: int, error: BaseException) -> dict[str, Any]:
    if isinstance(error, ProcessExpired):
        code = error.exitcode
        why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        why = f"the process died: {why}"
    else:
        why = "did not end, and was killed"
    return {
        "tries": 1,
        "kinds": {"process lost": 1},
        "failures": [{"trial": number, "why": why}],
        "figures": {},
        "slowest_s": 0.0,
    }


def _leave_interrupts_to_parent() -> None:
    """Ctrl-C is for the parent, which then stops its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
