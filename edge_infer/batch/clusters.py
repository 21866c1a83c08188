"""Dask's workers as processes of this machine, which start and end with the run.

Dask carries functions and results between its processes with pickle, so whoever reaches a scheduler or worker runs
code there. Here all listen at 127.0.0.1, with TLS by a key that only they know. No file is ever pickled. Nothing is
served over HTTP, and no worker keeps files.
"""

import logging
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge_infer.batch.put_off import signals_put_off
from edge_infer.batch.quiet_engine import first_line, quiet_logs
from edge_infer.errors import MissingDependency

__all__ = ["WorkersLost", "local_cluster"]

#: Of Dask's settings, those that matter here.
_SETTINGS = {
    # A partition may lose its worker so often before the driver looks whether it gets on (edge_infer.batch.engine).
    "distributed.scheduler.allowed-failures": 3,
    # Servers for metrics and a dashboard: they stay, on the same address, and serve nothing.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
    # The last messages and changes of state, for those who look for faults in Dask: a thousand each, 12 kB a partition.
    "distributed.admin.low-level-log-length": 10,
    # A driver that waits costs less.
    "distributed.admin.tick.interval": "500ms",
    # No worker is stopped for its memory: an image has limits of its own.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # A worker may take longer than 15 s to be replaced on a busy machine; its place is not given up before.
    "distributed.deploy.lost-worker-timeout": "24 hours",
    "distributed.comm.timeouts.connect": "60s",
}

_END_S = 5.0


class WorkersLost(Exception):
    """Processes that were started here are not there."""


@contextmanager
def local_cluster(workers: int, scratch: Path) -> Iterator[Any]:
    """Yield a client of as many new worker processes, one thread each; they end with the block or with this process.

    Args:
        workers: How many.
        scratch: A folder for the engine's locks; removed at the end.

    Raises:
        WorkersLost: They did not come up.
    """
    import dask
    from distributed import Client, LocalCluster

    address = "127.0.0.1"
    shutil.rmtree(scratch, ignore_errors=True)  # of a driver that was killed
    with dask.config.set(_SETTINGS), quiet_logs():
        try:
            with signals_put_off() as arrived:
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host=address,
                    security=_own_security(),
                    memory_limit=0,
                    local_directory=str(scratch),
                    dashboard_address=None,
                    # Without an address it would take port 8787, or warn that somebody has it.
                    scheduler_kwargs={"dashboard": False, "dashboard_address": f"{address}:0"},
                    silence_logs=logging.CRITICAL,
                    preload=["edge_infer.batch.worker_setup"],
                )
        except (OSError, TimeoutError, RuntimeError) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise WorkersLost(first_line(error)) from error
        try:
            for number in arrived:
                signal.raise_signal(number)
            with Client(cluster, set_as_default=False) as client:
                yield client
        finally:
            # What they were working on is in journals, and they end with us in any case.
            with suppress(Exception):
                cluster.close(timeout=_END_S)
            shutil.rmtree(scratch, ignore_errors=True)


def _own_security() -> Any:
    """Certificates in memory, for the processes of one cluster: otherwise other users of this machine could join."""
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError as error:
        raise MissingDependency(
            "cryptography is not installed, which keeps other users of this machine out of the workers",
            hint="pip install 'brain-edge[scale]', or give --workers 1",
        ) from error
