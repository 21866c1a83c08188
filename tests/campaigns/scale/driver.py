"""Measure what a task costs the driver: a cluster of two workers on this machine, tasks that do nothing.

python tests/campaigns/scale/driver.py [--tasks 2000] [--rounds 3] [--result docs/scale/driver.json]
"""

import argparse
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.records import TOP, circumstances, write_json
from tqdm import tqdm

WORKERS = 2


def nothing(number: int) -> dict[str, int]:
    """Return what a partition's task returns, about."""
    return {"partition": number, "units": 1000, "failed": 0}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "driver.json")
    given = parser.parse_args()
    from distributed import as_completed

    from edge_infer.batch.clusters import local_cluster

    wall, cpu = [], []
    with tempfile.TemporaryDirectory() as folder, local_cluster(WORKERS, Path(folder)) as client:
        for _ in tqdm(range(given.rounds), unit="round"):
            waiting = iter(range(given.tasks))
            started, used = time.perf_counter(), time.process_time()
            first = islice(waiting, 2 * WORKERS)
            queue = as_completed(
                [client.submit(nothing, one, pure=False) for one in first], loop=client.loop
            )
            for future in queue:
                assert future.result()["units"] == 1000
                if (number := next(waiting, None)) is not None:
                    queue.add(client.submit(nothing, number, pure=False))
            wall.append((time.perf_counter() - started) / given.tasks)
            # Driver and scheduler are one process, this one.
            cpu.append((time.process_time() - used) / given.tasks)
    result = {
        "circumstances": circumstances(),
        "tasks": given.tasks,
        "rounds": given.rounds,
        "workers": WORKERS,
        "tasks_per_s": 1 / statistics.median(wall),
        "driver_cpu_ms_per_task": 1000 * statistics.median(cpu),
    }
    write_json(given.result, result)
    print(result)


if __name__ == "__main__":
    main()
