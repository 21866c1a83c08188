"""What Dask calls in each worker process as it starts (``preload``)."""

import signal
from typing import Any

__all__ = ["dask_setup"]


def dask_setup(_worker: Any) -> None:
    """Leave Ctrl-C to the driver: a terminal sends it to workers, too, and they end with the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
