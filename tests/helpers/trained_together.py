"""Start a function in several processes that have joined, as torchrun would."""

import os
import socket
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from train.processes import joined

__all__ = ["all_well", "start_together"]


def start_together(
    context: ForkServerContext, count: int, target: Callable[..., Any], *given: Any, **options: Any
) -> list[ForkServerProcess]:
    """Start ``target`` in processes of one group; ``context`` is that of ``own_process.preloaded``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for number in range(count):
        place = {
            "RANK": str(number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",  # as torchrun sets it; sums depend on the number of threads
        }
        process = context.Process(target=_member, args=(place, target, given, options))
        process.start()
        processes.append(process)
    return processes


def all_well(processes: list[ForkServerProcess]) -> None:
    """Wait for the processes, and check that each ended well."""
    for process in processes:
        process.join(300)
    endings = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert endings == [0] * len(processes)


def _member(
    place: dict[str, str], target: Callable[..., Any], given: Any, options: dict[str, Any]
) -> None:
    import torch

    os.environ.update(place)
    torch.set_num_threads(1)  # torch was imported before the variable was set
    with joined():
        target(*given, **options)
