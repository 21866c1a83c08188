"""Several processes that torchrun has started to train one model: who is first, who waits, and sums over all of them.

The one thing that they exchange is a sum (``total_``): gloo adds up tensors of the CPU and of a GPU, NCCL of GPUs.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed

from edge_infer.errors import ProcessLost

__all__ = [
    "all_agree",
    "first_process_first",
    "is_first",
    "joined",
    "process_count",
    "process_number",
    "total_",
]

#: What torchrun tells a process about its place. transformers and accelerate must not read it: they would wrap the
#: model, share the batches out in another way and pad the last one of a validation (decision 0034).
_PLACE = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")

#: How long processes wait for one another: the first may decode pictures for hours. torchrun ends all if one ends.
_PATIENCE = timedelta(days=7)


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes of this run; a process that was not started by torchrun, or alone, just goes on.

    Several GPUs: each process sees one of them only. More processes than GPUs share them, which NCCL refuses, so then
    gloo adds up.

    Raises:
        ProcessLost: The others cannot be reached.
    """
    place = {name: os.environ.pop(name) for name in _PLACE if name in os.environ}
    try:
        if int(place.get("WORLD_SIZE", "1")) < 2 or not {"RANK", "LOCAL_RANK"} <= set(place):
            yield
            return
        with _lost_if_it_fails():
            distributed.init_process_group(
                _choose_device(place),
                rank=int(place["RANK"]),
                world_size=int(place["WORLD_SIZE"]),
                timeout=_PATIENCE,
            )
        yield
        distributed.destroy_process_group()  # not after an error: it would wait for the others
    finally:
        os.environ.update(place)


def process_count() -> int:
    """How many processes train together; 1 if this one is alone."""
    return distributed.get_world_size() if _is_joined() else 1


def process_number() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if _is_joined() else 0


def is_first() -> bool:
    """Whether this process is the one that writes and speaks."""
    return process_number() == 0


@contextmanager
def first_process_first() -> Iterator[None]:
    """Let the first process do the body alone, then all others, who find in caches and folders what it has made.

    It ends when all have done it. If one fails there, the others end with ``ProcessLost``.
    """
    if not is_first():
        _wait()
    yield
    if is_first():
        _wait()
    _wait()


def total_(values: Tensor) -> Tensor:
    """Add up a tensor over all processes, in place; each gets the same bits.

    Raises:
        ProcessLost: Another one has ended.
    """
    with _lost_if_it_fails():
        distributed.all_reduce(values)
    return values


def all_agree(yes: bool) -> bool:
    """Whether all processes say yes."""
    if process_count() == 1:
        return yes
    votes = torch.tensor(float(yes), device="cuda" if torch.cuda.is_available() else "cpu")
    return int(total_(votes)) == process_count()


def _wait() -> None:
    if process_count() > 1:
        with _lost_if_it_fails():
            distributed.barrier()


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _choose_device(place: Mapping[str, str]) -> str:
    """Leave this process one GPU, and return who adds up: nccl or gloo."""
    here = int(place.get("LOCAL_WORLD_SIZE", place["WORLD_SIZE"]))
    if here == int(place["WORLD_SIZE"]) and sys.platform == "linux":
        # On one machine they need no network; the host's name need not lead anywhere.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    gpus = torch.cuda.device_count()  # asks without opening one
    if not gpus:
        return "gloo"
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = named.split(",") if named else [str(number) for number in range(gpus)]
    os.environ["CUDA_VISIBLE_DEVICES"] = names[int(place["LOCAL_RANK"]) % gpus]
    return "nccl" if here <= gpus else "gloo"


@contextmanager
def _lost_if_it_fails() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:  # its own, and it says so
        raise
    except RuntimeError as error:
        raise ProcessLost(
            "another process of this training has ended or cannot be reached",
            hint="what it said is above, or torchrun says below how it ended; then continue with --resume",
        ) from error
