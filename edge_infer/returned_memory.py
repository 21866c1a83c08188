"""Freed memory goes back to the system, so that a program that runs for months needs what its largest input needs.

The GNU C library (Linux) gives freed blocks back at once if it got them with ``mmap``, by default those of 128 KiB and
more. But it raises that limit to the size of each such block that is freed, up to 32 MiB (mallopt(3),
``M_MMAP_THRESHOLD``). From then on, blocks of that size lie in the heaps of threads, which keep what is freed as long
as anything lies behind it, each heap for itself. So slices unpacked by one thread and bodies received by another added
up to more than a service promised to hold (campaign R20).
"""

import contextlib
import ctypes
import os
import sys

__all__ = ["return_freed_memory"]

_M_MMAP_THRESHOLD = -3  # malloc.h
_LEAST_BYTES = 2**20


def return_freed_memory() -> None:
    """Keep the limit at 1 MiB from now on, in this process; nothing happens under other C libraries.

    Whoever sets ``MALLOC_MMAP_THRESHOLD_`` or ``GLIBC_TUNABLES`` has decided already.
    """
    if sys.platform != "linux" or {"MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"} & os.environ.keys():
        return
    with contextlib.suppress(OSError, AttributeError):  # musl has no mallopt
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LEAST_BYTES)
