"""The number of threads torch uses."""

import os

import torch

from edge_infer.machine import usable_cores

__all__ = ["keep_threads_within_quota"]


def keep_threads_within_quota() -> None:
    """Limit torch to as many threads as this process has cores.

    torch counts processors and ignores a container's quota: 32 threads on one core wait for each other most of the
    time. A number set in ``OMP_NUM_THREADS`` is kept.
    """
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())
