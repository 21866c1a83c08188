"""One way through a list of images, in the environment of its engine; prints one JSON object.

    python -m scale.ways.run WAY LIST --workers N --part 50

Times are seconds since SCALE_STARTED, which is when the process was started.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from scale.ways.answering import answer, digest, parts, peak_bytes

#: Yields what ``answer`` returned, part by part, or the error of a part; calls the function once the engine is up.
Way = Callable[[list[list[str]], int, Callable[[], None]], Iterator[dict[str, Any] | Exception]]


def alone(
    cut: list[list[str]], _workers: int, ready: Callable[[], None]
) -> Iterator[dict[str, Any] | Exception]:
    """In this process."""
    ready()
    yield from map(answer, cut)


def pool(
    cut: list[list[str]], workers: int, ready: Callable[[], None]
) -> Iterator[dict[str, Any] | Exception]:
    """Use the standard library's pool of processes."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        ready()
        for future in as_completed([executor.submit(answer, part) for part in cut]):
            error = future.exception()
            yield future.result() if error is None else Exception(type(error).__name__)


def dask(
    cut: list[list[str]], workers: int, ready: Callable[[], None]
) -> Iterator[dict[str, Any] | Exception]:
    """Use Dask's distributed scheduler on this machine, as brain-batch starts it."""
    from distributed import as_completed as completed

    from edge_infer.batch.clusters import local_cluster

    with local_cluster(workers, Path("dask")) as client:
        client.wait_for_workers(workers)
        ready()
        waiting = iter(cut)
        first = islice(waiting, 2 * workers)
        queue = completed(
            [client.submit(answer, part, pure=False) for part in first], loop=client.loop
        )
        for future in queue:
            error = future.exception() if future.status == "error" else None
            yield future.result() if error is None else Exception(type(error).__name__)
            if (part := next(waiting, None)) is not None:
                queue.add(client.submit(answer, part, pure=False))


def ray_actors(
    cut: list[list[str]], workers: int, ready: Callable[[], None]
) -> Iterator[dict[str, Any] | Exception]:
    """Use Ray's actors, restarted up to four times, as often as Dask tries a task."""
    import ray

    ray.init(
        num_cpus=workers + 1, include_dashboard=False, log_to_driver=False, configure_logging=False
    )
    ready()

    @ray.remote(num_cpus=1, max_restarts=4, max_task_retries=4)
    class Worker:
        def answer(self, part: list[str]) -> dict[str, Any]:
            return answer(part)

    actors = [Worker.remote() for _ in range(workers)]
    waiting, busy = iter(cut), {}
    for actor in actors * 2:
        if (part := next(waiting, None)) is not None:
            busy[actor.answer.remote(part)] = actor
    while busy:
        (done,), _ = ray.wait(list(busy), num_returns=1)
        actor = busy.pop(done)
        try:
            yield ray.get(done)
        except ray.exceptions.RayError as error:
            yield Exception(type(error).__name__)
        if (part := next(waiting, None)) is not None:
            busy[actor.answer.remote(part)] = actor
    ray.shutdown()


def ray_data(
    cut: list[list[str]], workers: int, ready: Callable[[], None]
) -> Iterator[dict[str, Any] | Exception]:
    """Use Ray Data: a block for each part, one actor a core; one core more than workers, or it waits for ever."""
    import ray
    import ray.data

    ray.init(
        num_cpus=workers + 1, include_dashboard=False, log_to_driver=False, configure_logging=False
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    ready()

    class Worker:
        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            found = answer([str(path) for path in batch["item"]])
            return {"answer": [json.dumps(found)]}

    size = len(cut[0])
    listed = ray.data.from_items(
        [path for part in cut for path in part], override_num_blocks=len(cut)
    )
    answers = listed.map_batches(Worker, batch_size=size, concurrency=workers, num_cpus=1)
    try:
        for row in answers.iter_rows():
            yield json.loads(row["answer"])
    except Exception as error:  # of whatever kind: the whole job ends with it
        yield Exception(type(error).__name__)
    ray.shutdown()


WAYS: dict[str, Way] = {
    "alone": alone,
    "pool": pool,
    "dask": dask,
    "ray_actors": ray_actors,
    "ray_data": ray_data,
}


def main() -> None:
    """Run, and say what came of it and when."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("list", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--part", type=int, default=50)
    given = parser.parse_args()
    started = float(os.environ["SCALE_STARTED"])
    paths = given.list.read_text(encoding="utf-8").splitlines()
    times: dict[str, float] = {"up": time.time() - started}
    rows: list[Any] = []
    arrived: list[tuple[float, int]] = []
    errors: list[str] = []
    peaks: dict[int, int] = {}

    def ready() -> None:
        times["ready"] = time.time() - started

    for found in WAYS[given.way](parts(paths, given.part), given.workers, ready):
        if isinstance(found, Exception):
            errors.append(str(found))
            continue
        rows += found["rows"]
        arrived.append((time.time() - started, len(found["rows"])))
        peaks[found["pid"]] = found["peak"]
    times["closed"] = time.time() - started
    result = {
        "times": times,
        "arrived": arrived,
        "rows": len(rows),
        "distinct": len({row[0] for row in rows}),
        "digest": digest([tuple(row) for row in rows]),
        "errors": errors,
        "driver_peak": peak_bytes(),
        "worker_peaks": sorted(peaks.values()) if given.way != "alone" else [],
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
