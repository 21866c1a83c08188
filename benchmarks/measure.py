"""Measure all engines at one number of threads: loading, latency, throughput, the machine's peak speed."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.adapters.matmul_peak import OPERATIONS
from benchmarks.interleaving import Timings, drive
from benchmarks.latency import Rounds, summarize
from benchmarks.load import Snapshot, take_snapshot
from benchmarks.worker_process import Worker
from edge_infer.errors import BrainError, InferenceFailed

__all__ = ["PEAKS", "Contender", "measure_threads"]

#: Workers for the machine's peak speed, measured in turn with the engines.
PEAKS = {"peak fp32": "fp32", "peak int8": "int8"}

_PREPROCESSED = 32
_BATCH_RUNS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An engine that is ready to run.

    Attributes:
        name: The engine's.
        config: For its adapter.
        python: Its interpreter; None is this one.
        batches: Batch sizes of the throughput measurement.
    """

    name: str
    config: Mapping[str, Any]
    python: Path | None
    batches: tuple[int, ...]


def measure_threads(
    contenders: Sequence[Contender],
    scans: Sequence[str],
    *,
    threads: int,
    rounds: int,
    turn_done: Callable[[], None] = lambda: None,
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], Snapshot | None, Snapshot | None]:
    """Measure.

    Args:
        contenders: The engines, run side by side.
        scans: Files for end to end.
        threads: Threads of each pool, and cores that each process may use.
        rounds: Turns of each engine.
        turn_done: Called after each turn, those of the peak workers included, for a progress bar.

    Returns:
        By name: the figures, or ``error`` if an engine failed. The machine's peaks. Snapshots before and after the
        timed part, which begins when all engines are loaded.
    """
    found: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for contender in contenders:
            try:
                worker = Worker(
                    contender.name, contender.config, python=contender.python, threads=threads
                )
                stack.callback(worker.close)
                loaded = worker.ask("load")
                first = worker.ask("answer", scans=[scans[0]], n=1, untimed=0)
            except BrainError as error:
                found[contender.name] = {"error": str(error)}
                continue
            workers[contender.name] = worker
            found[contender.name] = {
                **loaded,
                "first_answer_ms": first["ms"][0],
                "peak_memory_bytes": first["peak_memory_bytes"],
            }
        for name, precision in PEAKS.items():
            config = {"adapter": "matmul_peak", "precision": precision}
            workers[name] = stack.enter_context(Worker(name, config, threads=threads))
            workers[name].ask("load")
        pids = [worker.pid for worker in workers.values()]
        before = take_snapshot(pids)
        timings = drive(
            workers, scans, rounds=rounds, model_only=frozenset(PEAKS), turn_done=turn_done
        )
        for contender in contenders:
            if contender.name not in timings:
                continue
            try:
                found[contender.name] |= _more(
                    contender, workers[contender.name], scans, timings[contender.name]
                )
            except BrainError as error:
                found[contender.name] = {"error": str(error)}
        after = take_snapshot(pids)
    peaks = {PEAKS[name]: _peak(timings[name].model) for name in PEAKS}
    return found, peaks, before, after


def _more(
    contender: Contender, worker: Worker, scans: Sequence[str], timings: Timings
) -> dict[str, Any]:
    if timings.failure:
        raise InferenceFailed(timings.failure[0])
    throughput = {}
    for size in contender.batches:
        taken = worker.ask("batch", size=size, n=_BATCH_RUNS)["ms"]
        throughput[str(size)] = {
            "pictures_per_second": 1000 * size / min(taken),
            "n": len(taken),
        }
    preprocessing = worker.ask("preprocess", scans=list(scans), n=_PREPROCESSED)["ms"]
    return {
        "model_only": {**summarize(timings.model), "rounds_ms": _rounded(timings.model)},
        "end_to_end": {**summarize(timings.end_to_end), "rounds_ms": _rounded(timings.end_to_end)},
        "throughput": throughput,
        "preprocessing": summarize([[value] for value in preprocessing]),
    }


def _peak(rounds: Rounds) -> dict[str, Any]:
    summary = summarize(rounds)
    return {
        "gops_best": OPERATIONS / summary["min_ms"] / 1e6,
        "gops_median": OPERATIONS / summary["p50_ms"] / 1e6,
        "n": summary["n"],
    }


def _rounded(rounds: Rounds) -> list[list[float]]:
    return [[round(value, 3) for value in queries] for queries in rounds]
