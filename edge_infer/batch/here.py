"""Partitions one after the other in this process, without an engine: ``--workers 1`` and ``--shard``."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edge_infer.batch.partition import Order, run_partition
from edge_infer.errors import OutputLocked

__all__ = ["run_here"]

_WAIT_S = 2.0


def run_here(
    output: Path,
    numbers: Iterable[int],
    order: Order,
    *,
    on_unit: Callable[[], None],
    waits: Callable[[], None],
) -> None:
    """Answer partitions; those that another process works on come last.

    Args:
        output: Folder of the run.
        numbers: Partitions that are not finished.
        order: Which run it is.
        on_unit: Called after each unit.
        waits: Called once if nothing is left but what others work on.

    Raises:
        BrainError: As ``run_partition``.
    """
    rest, is_told = numbers, False
    while busy := _busy_ones(output, rest, order, on_unit):
        if not is_told:
            waits()
        is_told, rest = True, busy
        time.sleep(_WAIT_S)


def _busy_ones(
    output: Path, numbers: Iterable[int], order: Order, on_unit: Callable[[], None]
) -> list[int]:
    busy = []
    for number in numbers:
        try:
            run_partition(output, number, order, on_unit=on_unit)
        except OutputLocked:
            busy.append(number)
    return busy
