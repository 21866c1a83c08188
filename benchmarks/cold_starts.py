"""Time to the first answer of a new process, the engines in turn."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.latency import summarize
from benchmarks.measure import Contender
from benchmarks.worker_process import cold_start
from edge_infer.errors import BrainError

__all__ = ["measure_cold_starts"]


def measure_cold_starts(
    contenders: Sequence[Contender],
    scan: str,
    *,
    rounds: int,
    threads: int,
    turn_done: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, Any]]:
    """Start each engine ``rounds`` times, in turn, reversing the order each round.

    Each is first started once untimed, so that its files are in the system's cache, as on a machine in use.

    Returns:
        By name: latency figures from the start of the process to the line of JSON, and the peak memory; or ``error``.
    """
    walls: dict[str, list[list[float]]] = {one.name: [] for one in contenders}
    memory: dict[str, int | None] = {}
    failed: dict[str, str] = {}
    for number in range(rounds + 1):
        for one in contenders if number % 2 else list(reversed(contenders)):
            if one.name not in failed:
                try:
                    reply = cold_start(
                        one.name, one.config, scan, python=one.python, threads=threads
                    )
                except BrainError as error:
                    failed[one.name] = str(error)
                    continue
                memory[one.name] = reply["peak_memory_bytes"]
                if number:
                    walls[one.name].append([1000 * reply["wall_seconds"]])
            turn_done()
    return {
        name: {"error": failed[name]}
        if name in failed
        else {**summarize(times), "rounds_ms": times, "peak_memory_bytes": memory[name]}
        for name, times in walls.items()
    }
