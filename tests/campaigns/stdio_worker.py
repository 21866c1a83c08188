"""Measure a worker for host programs (--serve-stdio): memory over many requests, and times beside Classifier.

    python tests/campaigns/stdio_worker.py soak --n 50000
    python tests/campaigns/stdio_worker.py times --n 200

``soak`` sends good, damaged and refused requests in turn; exit status 1 if memory grows by more than 4 MiB after the
first tenth, or an answer is missing. ``times`` asks the worker and ``Classifier.predict`` in turn for the same images.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from stdio_worker import HostedWorker, encoded  # noqa: E402 -- after the path

from edge_infer.answer_lines import AnswerLines  # noqa: E402
from edge_infer.classifier import Classifier  # noqa: E402

IMAGES = [path.read_bytes() for path in sorted((ROOT / "examples").glob("*.jpg"))]
_GROWTH_KIB = 4096


def soak(count: int) -> int:
    """Send ``count`` requests."""
    kinds: list[Callable[[int], bytes]] = [
        lambda number: encoded({"id": number, "method": "classify"}, IMAGES[number % 4]),
        lambda number: encoded({"id": number, "method": "classify"}, IMAGES[0][: number % 9000]),
        lambda number: encoded({"id": number, "method": "classify", "path": "missing"}),
        lambda number: encoded({"id": number, "method": "nonsense"}, b"x" * (number % 5000)),
        lambda number: encoded({"id": number, "method": "ping"}) + b"words\n",
    ]
    with HostedWorker() as worker:
        worker.event()
        start = first = 0
        began = time.monotonic()
        for number in range(count):
            worker.write(kinds[number % len(kinds)](number))
            _one_end(worker, number)
            if number in (100, count // 10):
                start, first = first or worker.memory_kib(), worker.memory_kib()
            if number and number % max(1, count // 10) == 0:
                print(f"{number:>7} requests  {worker.memory_kib() / 1024:7.1f} MiB", flush=True)
        last = worker.memory_kib()
        events, status = worker.close()
    seconds = time.monotonic() - began
    print(f"{count} requests, {seconds:.0f} s, exit status {status}")
    print(f"MiB after 100, a tenth, all: {start / 1024:.1f}, {first / 1024:.1f}, {last / 1024:.1f}")
    return int(status != 0 or last - first > _GROWTH_KIB or any("line" in one for one in events))


def _one_end(worker: HostedWorker, number: int) -> None:
    """Read the last line of a request."""
    while True:
        event = worker.event()
        if event.get("id") == number and event["event"] in ("done", "error", "pong"):
            return


def times(count: int) -> int:
    """Ask ``count`` times for each."""
    ready, first = [], []
    for _ in range(7):
        began = time.perf_counter()
        with HostedWorker() as worker:
            worker.event()
            ready.append(time.perf_counter() - began)
            worker.write(encoded({"id": 0, "method": "classify"}, IMAGES[0]))
            _one_end(worker, 0)
            first.append(time.perf_counter() - began)
    classifier = Classifier.load(num_threads=1)
    lines = AnswerLines(classifier)
    paths = sorted(map(str, (ROOT / "examples").glob("*.jpg")))
    seconds: dict[str, list[float]] = {}
    rng = random.Random(0)  # noqa: S311 -- an order, no secret
    with HostedWorker() as worker:
        worker.event()
        before, own = worker.cpu_s(), 0.0
        for number in range(count):
            image, head = IMAGES[number % 4], {"id": number, "method": "classify"}
            by_content = encoded(head, image)
            by_path = encoded({**head, "path": paths[number % 4]})
            ping = encoded({**head, "method": "ping"})
            ways: dict[str, Callable[[], object]] = {
                "Classifier.predict, in process": partial(classifier.predict, image),
                "AnswerLines, in process": partial(_all_of, lines, image),
                "worker, content": partial(_ask, worker, number, by_content),
                "worker, path": partial(_ask, worker, number, by_path),
                "worker, ping": partial(_ask, worker, number, ping),
            }
            for name in rng.sample(list(ways), len(ways)):  # whoever waited before runs sooner
                started = time.process_time()
                seconds.setdefault(name, []).append(_timed(ways[name]))
                own += (time.process_time() - started) * name.startswith("Classifier")
        used = worker.cpu_s() - before
        memory = worker.memory_kib()
    print(f"ready                          {statistics.median(ready):6.2f} s   (median of 7)")
    print(f"first answer                   {statistics.median(first):6.2f} s   (median of 7)")
    for name, each in sorted(seconds.items()):
        ordered = sorted(1000 * one for one in each)
        print(
            f"{name:<30} {statistics.median(ordered):6.2f} ms  p90 {ordered[9 * count // 10]:6.2f}  (n {count})"
        )
    print(f"processor time of predict      {1000 * own / count:6.2f} ms  (mean)")
    print(
        f"of the worker, a request       {1000 * used / (2 * count):6.2f} ms  (mean, pings included)"
    )
    print(f"resident memory                {memory / 1024:6.1f} MiB")
    return 0


def _all_of(lines: AnswerLines, image: bytes) -> None:
    for _ in lines.of_content(image):
        pass


def _ask(worker: HostedWorker, number: int, data: bytes) -> None:
    worker.write(data)
    _one_end(worker, number)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["soak", "times"])
    parser.add_argument("--n", type=int, default=1000)
    options = parser.parse_args()
    return soak(options.n) if options.what == "soak" else times(options.n)


if __name__ == "__main__":
    sys.exit(main())
