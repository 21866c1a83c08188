"""What Dask calls in each worker process as it starts (``preload``)."""

import signal
from typing import Any

from edge_infer.returned_memory import return_freed_memory

__all__ = ["dask_setup"]


def dask_setup(_worker: Any) -> None:
    """Give freed memory back. Leave Ctrl-C to the driver: a terminal sends it to workers, too, and they end with it."""
    return_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
