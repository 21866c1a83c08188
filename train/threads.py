"""How many threads torch computes with."""

import os

import torch

from edge_infer.machine import usable_cores

__all__ = ["keep_threads_within_quota"]


def keep_threads_within_quota() -> None:
    """Let torch use no more threads than this process has cores.

    torch counts processors, not a container's share of them: 32 threads on one core wait for one another most of the
    time. Whoever has set ``OMP_NUM_THREADS`` keeps that number.
    """
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())
