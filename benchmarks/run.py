"""One timed run: measure, check that nothing else used the machine, return the result as plain JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.cold_starts import measure_cold_starts
from benchmarks.environment import environment
from benchmarks.load import unclean_reasons
from benchmarks.measure import PEAKS, measure_threads
from benchmarks.preparation import Bar, Prepared
from edge_infer.contract import RESEARCH_USE_ONLY
from train.data.samples import Progress

__all__ = ["SCHEMA_VERSION", "measure"]

SCHEMA_VERSION = 1


def measure(
    prepared: Prepared,
    *,
    threads: Sequence[int],
    rounds: int,
    cold_rounds: int,
    load_before: float | None,
    command: str,
    made_on: str,
    bar: Bar,
    part_done: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Time the prepared engines.

    Args:
        prepared: As returned by ``prepare``.
        threads: Numbers of threads, with a measurement for each.
        rounds: Turns of each engine.
        cold_rounds: New processes of each engine; 0 for no cold starts.
        load_before: The load average before the command did anything.
        command: The command line.
        made_on: The day, as YYYY-MM-DD.
        bar: Opens a progress bar.
        part_done: Called with the result after each part, to write it: a killed run keeps the finished parts.

    Returns:
        The result; docs/benchmarks.md describes it.
    """
    study = prepared.study
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "research_use_only": RESEARCH_USE_ONLY,
        "complete": False,
        "clean": False,
        "unclean_reasons": ["not finished"],
        "command": command,
        "made_on": made_on,
        "environment": environment(),
        "model": {
            "name": study.model,
            "image_size": {"height": study.height, "width": study.width},
            "data": study.data,
            "scans": len(study.scans),
            "macs": prepared.macs,
        },
        "install_bytes": prepared.install_bytes,
        "settings": {"rounds": rounds, "cold_rounds": cold_rounds, "threads": list(threads)},
        "engines": prepared.facts,
        "threads": {},
        "cold_start": {},
    }
    reasons: list[str] = []
    load: dict[str, Any] = {}
    for count in threads:
        turns = rounds * (len(prepared.contenders) + len(PEAKS))
        with bar(f"{count} thread{'s' if count > 1 else ''}") as progress:
            found, peaks, before, after = measure_threads(
                prepared.contenders,
                study.scans,
                threads=count,
                rounds=rounds,
                turn_done=_counter(progress, turns),
            )
        why, load[str(count)] = unclean_reasons(load_before, before, after)
        reasons += [
            f"{count} threads: {reason}" if "load was" not in reason else reason for reason in why
        ]
        result["threads"][str(count)] = {"engines": found, "peaks": peaks}
        result["load"] = load
        part_done(result)
    if cold_rounds:
        started = [one for one in prepared.contenders if prepared.engines[one.name].cold_start]
        with bar("cold start") as progress:
            result["cold_start"] = measure_cold_starts(
                started,
                study.scans[0],
                rounds=cold_rounds,
                threads=max(threads),
                turn_done=_counter(progress, (cold_rounds + 1) * len(started)),
            )
    unique = list(dict.fromkeys(reasons))
    result |= {"complete": True, "clean": not unique, "unclean_reasons": unique}
    part_done(result)
    return result


def _counter(progress: Progress, total: int) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(min(done, total), total)

    return count
