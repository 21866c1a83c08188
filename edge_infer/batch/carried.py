"""What runs in a worker: one partition, and what became of it in plain words."""

from pathlib import Path
from typing import Any

from edge_infer.batch.loading import BundleSource
from edge_infer.batch.partition import Order, run_partition
from edge_infer.batch.told_errors import as_words
from edge_infer.errors import BrainError, OutputLocked

__all__ = ["carried", "partition_task"]


def partition_task(output: str, number: int, words: dict[str, Any]) -> dict[str, Any]:
    """Answer a partition in a worker process; errors come back as words."""
    from distributed import get_worker

    name = get_worker().name
    order = Order(
        run_id=words["run_id"],
        source=BundleSource.from_json(words["source"]),
        worker=f"worker {name}",
    )
    try:
        return {"units": run_partition(Path(output), number, order)}
    except OutputLocked:
        return {"busy": True}
    except BrainError as error:
        return {"error": as_words(error), "worker": str(name)}


def carried(output: str, number: int, words: dict[str, Any]) -> dict[str, Any]:
    """Carry a partition to a worker, and into this package only there."""
    from edge_infer.batch.carried import partition_task

    return partition_task(output, number, words)


# So it is sent as code. Sent by name, it would end a worker that lacks this package before the worker could say so.
carried.__module__ = "__main__"
